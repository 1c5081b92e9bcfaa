"""What a run looks like: figures, and the drawing of a UNet that they and the report in the browser share."""

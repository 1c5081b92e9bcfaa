"""diffusers folders taken apart: text encoders, UNet, autoencoder, and how they sample.

Tensors here, and wherever a module is handed them, are annotated with their axes; a name means the same everywhere:

    n               pictures, prompts or captions: the rows of a batch
    c h w           channels, height and width of latents, or of a feature map (`c_in`, `c_out` where channels change)
    3 h_px w_px     colours, height and width of pictures
    tokens width    of the text that cross-attentions read
    pooled          of the summary of a text
    6               of the sizes that SDXL is told
    t               timesteps that a model was trained with
    temb_channels   of the time embedding
    dim             of CLIP's unit vectors
"""

"""diffusers folders of UNets: configs and weights, read strictly."""

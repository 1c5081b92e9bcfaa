"""What may stand in the configs of a pipeline's parts; the one door by which a config of a model folder is read.

What a library would do with any other key (fetch code or weights from elsewhere, choose another class, quantise) never
happens, because such a folder is refused. Importing this module imports no framework.
"""

from collections.abc import Collection, Sequence
from math import inf
from pathlib import Path
from typing import Any, Final

from search_spaces.files.config_laws import (
    FLAG,
    NULL,
    OBJECT,
    TEXT,
    Law,
    Laws,
    among,
    config_faults,
    listed,
    mapped,
    number,
    obeying,
    whole,
)
from search_spaces.files.strict_json import JsonError, read_json_object
from search_spaces.folders.weight_files import ModelFolderError
from search_spaces.unets.keys import ACTIVATIONS, AVERAGES, CHANNELS, METADATA, UNET_LAWS

_STAGES: Final = 16
_FLAG: Final = FLAG | NULL
_STATISTICS: Final = NULL | listed(number(), least=1, most=4_096)

VAE_LAWS: Final[Laws] = METADATA | {
    "in_channels": CHANNELS,
    "out_channels": CHANNELS,
    "down_block_types": listed(among("DownEncoderBlock2D", "AttnDownEncoderBlock2D"), least=1, most=_STAGES),
    "up_block_types": listed(among("UpDecoderBlock2D", "AttnUpDecoderBlock2D"), least=1, most=_STAGES),
    "block_out_channels": listed(CHANNELS, least=1, most=_STAGES),
    "layers_per_block": whole(1, 64),
    "act_fn": among(*ACTIVATIONS),
    "latent_channels": whole(1, 4_096),
    "norm_num_groups": CHANNELS,
    "sample_size": CHANNELS | listed(CHANNELS, least=2, most=2),
    "scaling_factor": number(1e-6, 1e6),
    "shift_factor": NULL | number(),
    "latents_mean": _STATISTICS,
    "latents_std": _STATISTICS,
    "force_upcast": _FLAG,
    "use_quant_conv": _FLAG,
    "use_post_quant_conv": _FLAG,
    "mid_block_add_attention": _FLAG,
}

# Of these a text encoder is made.
_TOKEN_ID: Final = NULL | whole(-1, 10**9)
TEXT_ENCODER_SETTINGS: Final[Laws] = {
    "vocab_size": whole(1, 10_000_000),
    "hidden_size": CHANNELS,
    "intermediate_size": whole(1, 1 << 20),
    "projection_dim": NULL | CHANNELS,
    "num_hidden_layers": whole(1, 200),
    "num_attention_heads": whole(1, 1_024),
    "max_position_embeddings": whole(1, 100_000),
    "hidden_act": among("quick_gelu", "gelu", "gelu_new", "gelu_fast", "gelu_pytorch_tanh", "relu", "silu", "swish"),
    "layer_norm_eps": number(0, 1),
    "use_attention_mask": FLAG,  # read by diffusers' pipelines
    "attention_dropout": number(0, 1),
    "initializer_range": number(0, 1e6),
    "initializer_factor": number(0, 1e6),
    "pad_token_id": _TOKEN_ID,
    "bos_token_id": _TOKEN_ID,
    "eos_token_id": _TOKEN_ID,
}
TEXT_ENCODER_LAWS: Final[Laws] = (
    METADATA
    | TEXT_ENCODER_SETTINGS
    | {
        "_attn_implementation_autoset": _FLAG,
        "use_cache": _FLAG,
        "position_embedding_type": NULL | TEXT,
        "num_labels": NULL | whole(0, 100_000),  # transformers names each
        "model_type": among("clip_text_model"),
        "architectures": NULL | listed(TEXT, most=10),
    }
)
# Every config of transformers may hold these, which say nothing of a text encoder; a model is made without them.
_UNREAD: Final = """
    _commit_hash torch_dtype dtype transformers_version dropout gradient_checkpointing add_cross_attention
    bad_words_ids begin_suppress_tokens chunk_size_feed_forward cross_attention_hidden_size decoder_start_token_id
    diversity_penalty do_sample early_stopping encoder_no_repeat_ngram_size exponential_decay_length_penalty
    finetuning_task forced_bos_token_id forced_eos_token_id id2label is_decoder is_encoder_decoder label2id
    length_penalty max_length min_length no_repeat_ngram_size num_beam_groups num_beams num_return_sequences
    output_attentions output_hidden_states output_scores prefix problem_type pruned_heads remove_invalid_values
    repetition_penalty return_dict return_dict_in_generate sep_token_id suppress_tokens task_specific_params temperature
    tokenizer_class tf_legacy_loss tie_encoder_decoder tie_word_embeddings top_k top_p torchscript typical_p
    use_bfloat16"""
UNREAD: Final = frozenset(_UNREAD.split())

# A scheduler's settings depend on its class; none of diffusers' needs anything but plain values.
_NO_SIGNAL: Final = NULL | number() | Law("infinity", lambda value: value == inf)  # with it, no signal is left
_SCHEDULER_VALUE: Final = NULL | FLAG | TEXT | number() | listed(number(), most=100_000)
SCHEDULER_LAWS: Final[Laws] = METADATA | {
    "num_train_timesteps": whole(1, 100_000),
    "sigma_max": _NO_SIGNAL,
    "lambda_min_clipped": number() | Law("minus infinity", lambda value: value == -inf),  # so DPM-Solver writes "none"
}

_ENTRY: Final = NULL | listed(TEXT | NULL, least=2, most=2)
# Of what is never loaded, too, only diffusers' and transformers' own may be named.
_UNLOADED: Final = Law(
    'null or a class of "transformers", "diffusers" or "stable_diffusion" after the name of its library',
    lambda value: (
        value is None
        or value == [None, None]
        or (
            isinstance(value, list)
            and len(value) == 2
            and among("transformers", "diffusers", "stable_diffusion").holds(value[0])
            and isinstance(value[1], str)
            and value[1].isidentifier()
        )
    ),
)
INDEX_LAWS: Final[Laws] = {
    **METADATA,
    **dict.fromkeys(("vae", "unet", "scheduler", "text_encoder", "text_encoder_2", "tokenizer", "tokenizer_2"), _ENTRY),
    **dict.fromkeys(("safety_checker", "feature_extractor", "image_encoder"), _UNLOADED),
    **dict.fromkeys(("requires_safety_checker", "force_zeros_for_empty_prompt", "add_watermarker"), _FLAG),
    "_ignore_files": NULL | listed(TEXT, most=1_000),
}

_TOKEN: Final = TEXT | obeying(
    {
        "__type": among("AddedToken"),
        "content": TEXT,
        **dict.fromkeys(("lstrip", "rstrip", "normalized", "single_word", "special"), FLAG),
    }
)
SPECIAL_TOKENS_LAWS: Final[Laws] = {
    **dict.fromkeys(
        ("bos_token", "eos_token", "unk_token", "pad_token", "sep_token", "cls_token", "mask_token"), _TOKEN | NULL
    ),
    "additional_special_tokens": NULL | listed(_TOKEN, most=10_000),
    "extra_special_tokens": NULL | listed(_TOKEN, most=10_000) | mapped(_TOKEN, most=10_000),
}
_TOKENIZER_FLAGS: Final = """
    do_lower_case add_prefix_space clean_up_tokenization_spaces add_bos_token add_eos_token use_fast is_local
    local_files_only strip_accents tokenize_chinese_chars do_basic_tokenize legacy spaces_between_special_tokens
    use_default_system_prompt split_special_tokens use_safetensors"""
TOKENIZER_LAWS: Final[Laws] = SPECIAL_TOKENS_LAWS | {
    "tokenizer_class": TEXT,
    "model_max_length": number(1, 1e31),  # tokenizers without a limit say 1e30
    "added_tokens_decoder": mapped(_TOKEN, most=100_000),
    "padding_side": among("left", "right"),
    "truncation_side": among("left", "right"),
    "model_input_names": NULL | listed(TEXT, most=20),
    "extra_ids": whole(0, 10_000),
    "sp_model_kwargs": NULL | obeying({}),
    "errors": among("replace", "strict", "ignore"),
    "backend": among("tokenizers"),
    "torch_dtype": NULL | TEXT,
    "tokenizer_file": NULL,  # a path to anywhere
    **dict.fromkeys(("name_or_path", "special_tokens_map_file", "processor_class"), TEXT | NULL),
    **dict.fromkeys(_TOKENIZER_FLAGS.split(), _FLAG),
    **dict.fromkeys(("max_length", "stride", "pad_to_multiple_of", "pad_token_type_id"), NULL | whole(0, 1_000_000)),
    **dict.fromkeys(("truncation_strategy", "padding_strategy"), NULL | TEXT),
}


def read_config(
    path: Path, laws: Laws, /, *, of: str, ignored: Collection[str] | None = (), others: Law | None = None
) -> dict[str, Any]:
    """A config of a model folder, every key of which obeys its law.

    Args:
        path: JSON file.
        laws: By key.
        of: What it is the config of, for messages.
        ignored: Keys that may hold anything, because nothing reads them; None = all that no law names. What is null or
            false may stand under any key that no law names: it asks for nothing.
        others: Law of all other keys; None = there must be none.

    Raises:
        ModelFolderError: Not a JSON object, or one that breaks a law; the message names all that it breaks.
    """
    try:
        config = read_json_object(path)
    except (JsonError, OSError) as error:
        raise ModelFolderError(f"{error}; restore the folder from where it came") from error
    known = laws if others is None else {**dict.fromkeys(config, others), **laws}
    if ignored is not None:
        ignored = {*ignored, *(key for key, value in config.items() if value is None or value is False)}
    if wrong := config_faults(config, known, ignored=ignored):
        raise ModelFolderError(
            f"{path} must be the config of {of}, but {'; '.join(wrong)}; correct it, or restore it from where it came"
        )
    return config


def read_vae_config(path: Path, /) -> dict[str, Any]:
    """The config of an autoencoder.

    Raises:
        ModelFolderError: It is none that can be built; the message says why.
    """
    config = read_config(path, VAE_LAWS, of="an AutoencoderKL", ignored=AVERAGES)
    channels, groups = config.get("block_out_channels", [64]), config.get("norm_num_groups", 32)
    wrong = _wrong_groups(channels, groups)
    wrong += [
        f"`{key}` has {len(config[key])} stages but `block_out_channels` has {len(channels)}"
        for key in ("down_block_types", "up_block_types")
        if key in config and len(config[key]) != len(channels)
    ]
    latents = config.get("latent_channels", 4)
    wrong += [
        f"`{key}` has {len(config[key])} entries but `latent_channels` is {latents}"
        for key in ("latents_mean", "latents_std")
        if config.get(key) is not None and len(config[key]) != latents
    ]
    if wrong:
        raise ModelFolderError(f"{path}: {'; '.join(wrong)}; correct it, or restore it from where it came")
    return config


def read_unet_settings(path: Path, /, *, searched: str) -> dict[str, Any]:
    """The config of a UNet.

    Args:
        path: Of its file.
        searched: Name of the class whose configs hold an architecture too.

    Raises:
        ModelFolderError: It is none that can be built; the message says why.
    """
    config = read_config(path, UNET_LAWS | {"architecture": OBJECT}, of="a UNet2DConditionModel", ignored=AVERAGES)
    wrong = _wrong_groups(config.get("block_out_channels", [320]), config.get("norm_num_groups", 32))
    if "architecture" in config and config.get("_class_name") != searched:
        wrong.append(f"`architecture` may stand in the config of a {searched} only")
    if wrong:
        raise ModelFolderError(f"{path}: {'; '.join(wrong)}; correct it, or restore it from where it came")
    return config


def read_text_encoder_config(path: Path, /) -> dict[str, Any]:
    """The config of a CLIP text encoder.

    Raises:
        ModelFolderError: It is none that can be built; the message says why.
    """
    config = read_config(path, TEXT_ENCODER_LAWS, of="a CLIP text encoder", ignored=UNREAD)
    width, heads = config.get("hidden_size", 512), config.get("num_attention_heads", 8)
    if width % heads:
        raise ModelFolderError(
            f"{path}: `hidden_size` must be a multiple of `num_attention_heads`, but got {width} and {heads}; correct "
            "it, or restore it from where it came"
        )
    return config


def read_scheduler_config(path: Path, /) -> dict[str, Any]:
    """The config of a scheduler, whichever.

    Raises:
        ModelFolderError: It holds something else than plain values, or is not a JSON object.
    """
    return read_config(path, SCHEDULER_LAWS, of="a scheduler", others=_SCHEDULER_VALUE)


def _wrong_groups(channels: Sequence[int], groups: int | None) -> list[str]:
    if groups is None or not any(width % groups for width in channels):
        return []
    return [
        f"`norm_num_groups` must divide every number of `block_out_channels`, but got {groups} and {list(channels)}"
    ]

"""A folder with a tiny random model that chats: byte-level vocabulary of PolicyTests, ChatML.

    python chat_model.py FOLDER

Greedy, it never ends by itself, and its text is full of broken characters: what a server must
stream without breaking more of them.
"""

import json
import pathlib
import shutil
import sys

import numpy
from safetensors.numpy import save_file

FIXTURES = pathlib.Path(__file__).parent.parent / "PolicyTests" / "Fixtures"
HIDDEN, WIDE, LAYERS, HEADS, KEYS = 32, 64, 2, 4, 2


def main(folder):
    folder.mkdir(parents=True)
    tokenizer = json.loads((FIXTURES / "tokenizers" / "qwen2.json").read_text())
    added = {entry["content"]: entry["id"] for entry in tokenizer["added_tokens"]}
    size = 1 + max([*tokenizer["model"]["vocab"].values(), *added.values()])
    random = numpy.random.default_rng(7)

    def weights(*shape):
        return (random.standard_normal(shape) * 0.5).astype(numpy.float32)

    ones = numpy.ones(HIDDEN, numpy.float32)
    head = weights(size, HIDDEN)
    # A logit of 0 is never the greatest of 428, and sometimes sampled.
    head[[added["<|im_end|>"], added["<|endoftext|>"]]] = 0
    tensors = {"model.embed_tokens.weight": weights(size, HIDDEN), "model.norm.weight": ones,
               "lm_head.weight": head}
    for layer in range(LAYERS):
        at = f"model.layers.{layer}."
        tensors |= {
            at + "input_layernorm.weight": ones, at + "post_attention_layernorm.weight": ones,
            at + "self_attn.q_proj.weight": weights(HIDDEN, HIDDEN),
            at + "self_attn.k_proj.weight": weights(HIDDEN * KEYS // HEADS, HIDDEN),
            at + "self_attn.v_proj.weight": weights(HIDDEN * KEYS // HEADS, HIDDEN),
            at + "self_attn.o_proj.weight": weights(HIDDEN, HIDDEN),
            at + "mlp.gate_proj.weight": weights(WIDE, HIDDEN),
            at + "mlp.up_proj.weight": weights(WIDE, HIDDEN),
            at + "mlp.down_proj.weight": weights(HIDDEN, WIDE)}
    save_file(tensors, folder / "model.safetensors", metadata={"format": "pt"})
    config = {
        "architectures": ["LlamaForCausalLM"], "model_type": "llama", "vocab_size": size,
        "hidden_size": HIDDEN, "intermediate_size": WIDE, "num_hidden_layers": LAYERS,
        "num_attention_heads": HEADS, "num_key_value_heads": KEYS, "hidden_act": "silu",
        "max_position_embeddings": 16384, "rms_norm_eps": 1e-6, "rope_theta": 10000.0,
        "tie_word_embeddings": False, "torch_dtype": "float32",
        "eos_token_id": added["<|endoftext|>"]}
    (folder / "config.json").write_text(json.dumps(config))
    shutil.copy(FIXTURES / "tokenizers" / "qwen2.json", folder / "tokenizer.json")
    chats = json.loads((FIXTURES / "chats" / "expected.json").read_text())
    template = {"chat_template": chats["chatml"]["template"]}
    (folder / "tokenizer_config.json").write_text(json.dumps(template))


main(pathlib.Path(sys.argv[1]))

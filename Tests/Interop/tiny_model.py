"""A Qwen3 model of tiny size as transformers lays its folder out, and what became of its weights.

    python tiny_model.py FOLDER TOKENIZER.json CHATS.json TEMPLATE
    python tiny_model.py --compare CHECKPOINT

Makes config.json in the newer spelling, BF16 weights in two shards with an index, the tokenizer,
and the chat template of that name in CHATS.json (PolicyTests/Fixtures/chats/expected.json).
--compare opens the checkpoint with safetensors: the same names and shapes, F32, every weight
finite, most of them changed.
"""

import json
import pathlib
import shutil
import sys

import numpy
from safetensors import safe_open

HIDDEN, FEED, LAYERS, HEADS, KEYS, HEAD = 32, 64, 2, 4, 2, 16


def shapes(vocabulary):
    yield "model.embed_tokens.weight", (vocabulary, HIDDEN)
    for layer in range(LAYERS):
        base = f"model.layers.{layer}."
        yield base + "input_layernorm.weight", (HIDDEN,)
        for name, rows in ("q", HEADS * HEAD), ("k", KEYS * HEAD), ("v", KEYS * HEAD):
            yield f"{base}self_attn.{name}_proj.weight", (rows, HIDDEN)
        yield base + "self_attn.o_proj.weight", (HIDDEN, HEADS * HEAD)
        yield base + "self_attn.q_norm.weight", (HEAD,)
        yield base + "self_attn.k_norm.weight", (HEAD,)
        yield base + "post_attention_layernorm.weight", (HIDDEN,)
        yield base + "mlp.gate_proj.weight", (FEED, HIDDEN)
        yield base + "mlp.up_proj.weight", (FEED, HIDDEN)
        yield base + "mlp.down_proj.weight", (HIDDEN, FEED)
    yield "model.norm.weight", (HIDDEN,)


def write_shard(path, tensors):
    """By hand: numpy has no BF16, whose bits are the upper half of a float's."""
    header, data = {"__metadata__": {"format": "pt"}}, b""
    for name, array in tensors:
        raw = (array.astype("<f4").view("<u4") >> 16).astype("<u2").tobytes()
        place = [len(data), len(data) + len(raw)]
        header[name] = dict(dtype="BF16", shape=array.shape, data_offsets=place)
        data += raw
    text = json.dumps(header).encode()
    text += b" " * (-len(text) % 8)
    path.write_bytes(len(text).to_bytes(8, "little") + text + data)


def make(folder, tokenizer, chats, template):
    folder = pathlib.Path(folder)
    folder.mkdir()
    added = json.loads(pathlib.Path(tokenizer).read_text())
    ids = list(added["model"]["vocab"].values()) + [entry["id"] for entry in added["added_tokens"]]
    vocabulary = max(ids) + 1
    end = next(e["id"] for e in added["added_tokens"] if e["content"] == "<|im_end|>")
    generator = numpy.random.default_rng(3)
    tensors = [
        (name, numpy.ones(shape) if len(shape) == 1 else generator.normal(0, 0.05, shape))
        for name, shape in shapes(vocabulary)]
    parts = [tensors[:9], tensors[9:]]
    index = {}
    for number, part in enumerate(parts, 1):
        name = f"model-{number:05}-of-{len(parts):05}.safetensors"
        write_shard(folder / name, part)
        index |= {tensor: name for tensor, _ in part}
    (folder / "model.safetensors.index.json").write_text(
        json.dumps(dict(metadata=dict(total_size=0), weight_map=index)))
    (folder / "config.json").write_text(json.dumps(dict(
        architectures=["Qwen3ForCausalLM"], model_type="qwen3", vocab_size=vocabulary,
        hidden_size=HIDDEN, intermediate_size=FEED, num_hidden_layers=LAYERS,
        num_attention_heads=HEADS, num_key_value_heads=KEYS, head_dim=HEAD, hidden_act="silu",
        max_position_embeddings=1024, rms_norm_eps=1e-6, tie_word_embeddings=True,
        rope_parameters=dict(rope_type="default", rope_theta=1e6), dtype="bfloat16",
        use_sliding_window=False, sliding_window=None, eos_token_id=end)))
    shutil.copy(tokenizer, folder / "tokenizer.json")
    (folder / "tokenizer_config.json").write_text(
        '{"tokenizer_class": "Qwen2Tokenizer", "eos_token": "<|im_end|>"}')
    text = json.loads(pathlib.Path(chats).read_text())[template]["template"]
    (folder / "chat_template.jinja").write_text(text)


def compare(checkpoint):
    trained = {}
    with safe_open(pathlib.Path(checkpoint) / "model.safetensors", "numpy") as file:
        for name in file.keys():
            trained[name] = file.get_tensor(name)
    wanted = dict(shapes(trained["model.embed_tokens.weight"].shape[0]))
    assert {name: array.shape for name, array in trained.items()} == wanted
    assert all(a.dtype == numpy.float32 and numpy.isfinite(a).all() for a in trained.values())
    # BF16's bits have no lower half: a weight that has was trained.
    changed = numpy.mean([numpy.mean(a.view("u4") & 0xffff != 0) for a in trained.values()])
    assert changed > 0.5, changed
    print(f"{len(trained)} tensors, {changed:.0%} of the weights of one on average changed")


if sys.argv[1] == "--compare":
    compare(*sys.argv[2:])
else:
    make(*sys.argv[1:])

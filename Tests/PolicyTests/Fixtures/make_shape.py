"""A model of SmolLM2-135M's shape with random weights, as transformers writes it, and what it says.

    python3 -m venv oracle && oracle/bin/pip install torch transformers
    oracle/bin/python Tests/PolicyTests/Fixtures/make_shape.py make OUT TOKENIZER.json [bf16]
    oracle/bin/python Tests/PolicyTests/Fixtures/make_shape.py compare FOLDER LOGPROBS.jsonl LINES

Nothing of it is kept here: the weights are half a gigabyte. `make` writes a folder, F32 unless bf16
is asked for. `compare` opens a folder that Forage wrote with AutoModelForCausalLM and AutoTokenizer
and holds the log-probs `forage logprobs` printed for LINES ({"tokens": [...]}) against the model's.
"""

import json
import pathlib
import shutil
import sys

import torch
from transformers import AutoModelForCausalLM, AutoTokenizer, LlamaConfig, LlamaForCausalLM


def make(out, tokenizer, kind="f32"):
    torch.manual_seed(135)
    config = LlamaConfig(
        vocab_size=49152, hidden_size=576, intermediate_size=1536, num_hidden_layers=30,
        num_attention_heads=9, num_key_value_heads=3, max_position_embeddings=8192,
        rms_norm_eps=1e-5, tie_word_embeddings=True, bos_token_id=0, eos_token_id=0,
        initializer_range=0.041666666666666664,
        rope_parameters=dict(rope_type="default", rope_theta=100000.0))
    model = LlamaForCausalLM(config)
    if kind == "bf16":
        model = model.to(torch.bfloat16)
    model.save_pretrained(out)
    shutil.copy(tokenizer, pathlib.Path(out) / "tokenizer.json")
    (pathlib.Path(out) / "tokenizer_config.json").write_text(json.dumps(
        {"tokenizer_class": "PreTrainedTokenizerFast", "eos_token": "<|endoftext|>",
         "bos_token": "<|endoftext|>", "model_max_length": 8192}))
    print(sum(weight.numel() for weight in model.parameters()), "parameters in", out)


def compare(folder, answers, lines):
    model = AutoModelForCausalLM.from_pretrained(folder, dtype=torch.float32)
    tokenizer = AutoTokenizer.from_pretrained(folder)
    worst = 0
    for line, answer in zip(open(lines), open(answers)):
        tokens = torch.tensor([json.loads(line)["tokens"]])
        with torch.no_grad():
            table = torch.log_softmax(model(tokens).logits[0, :-1].double(), -1)
        theirs = table.gather(1, tokens[0, 1:, None])[:, 0]
        ours = torch.tensor(json.loads(answer)["logprobs"], dtype=torch.float64)
        worst = max(worst, (ours - theirs).abs().max().item())
    text = "A train leaves at 12:30.\n\n  It has 3 <<1+2=3>> wagons, na\u00efvely."
    ids = tokenizer(text, add_special_tokens=False)["input_ids"]
    assert tokenizer.decode(ids) == text
    print(f"{type(model).__name__}, {type(tokenizer).__name__}: greatest difference of a log-prob "
          f"{worst:.2e}; ids {ids}")
    assert worst < 1e-4


{"make": make, "compare": compare}[sys.argv[1]](*sys.argv[2:])

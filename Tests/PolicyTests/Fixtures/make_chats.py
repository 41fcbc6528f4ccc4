"""Another library's chats: what transformers' apply_chat_template makes of conversations.

    python3 -m venv oracle && oracle/bin/pip install transformers jinja2
    oracle/bin/python Tests/PolicyTests/Fixtures/make_chats.py FOLDER

Written for transformers 5.23. The short templates stand here. The long ones are read from FOLDER
as NAME.jinja, the `chat_template` of a published tokenizer_config.json: qwen2.5 of Qwen2.5-0.5B-
Instruct, qwen3 of Qwen3-0.6B and qwen3-first of its first days (llama.cpp keeps it among its
templates), llama3.1 of Llama-3.2-1B-Instruct, whose date is given here as the one it falls back to.
Of one that is not there, what expected.json holds stays.

chats/expected.json: by name {"digest": BLAKE2b-256 of the text without a last newline;
"template": the text, where it is short; "chats": [{"messages", "text", "ids", "continued"}]}. The
ids are those of tokenizers/qwen2.json and tokenizers/llama3.json; the begin token of Llama stands
in the ids and not in the text.
"""

import hashlib
import json
import pathlib
import sys

from transformers import PreTrainedTokenizerFast

HERE = pathlib.Path(__file__).parent
IM = ("{{'<|im_start|>' + message['role'] + '\n' + message['content'] + '<|im_end|>' + '\n'}}"
      "{% endfor %}{% if add_generation_prompt %}{{ '<|im_start|>assistant\n' }}{% endif %}")
FIRST = ("{% for message in messages %}{% if loop.first and messages[0]['role'] != 'system' %}"
         "{{ '<|im_start|>system\nSYSTEM<|im_end|>\n' }}{% endif %}" + IM)
SHORT = {
    "chatml": "{% for message in messages %}" + IM,
    "qwen2": FIRST.replace("SYSTEM", "You are a helpful assistant."),
    "smollm2": FIRST.replace(
        "SYSTEM", "You are a helpful AI assistant named SmolLM, trained by Hugging Face"),
    "llama3": (
        "{% set loop_messages = messages %}{% for message in loop_messages %}"
        "{% set content = '<|start_header_id|>' + message['role'] + '<|end_header_id|>\n\n'+ "
        "message['content'] | trim + '<|eot_id|>' %}{% if loop.index0 == 0 %}"
        "{% set content = bos_token + content %}{% endif %}{{ content }}{% endfor %}"
        "{% if add_generation_prompt %}{{ '<|start_header_id|>assistant<|end_header_id|>\n\n' }}"
        "{% endif %}"),
}
LONG = ["qwen2.5", "qwen3", "llama3.1"]


def message(role, content):
    return dict(role=role, content=content)


CHATS = [
    [message("user", "What is 12 + 34?")],
    [message("system", "Be short."), message("user", "Add 2 and 3.")],
    [message("user", "hi"), message("assistant", "Hello!\n"), message("user", "\n\nthe sum?\n")],
    [message("system", ""), message("user", "  two  spaces \u00a0"), message("assistant", "")],
    [message("user", "caf\u00e9 cafe\u0301 \u6570\u5b57\n\n\n"), message("assistant", " 1\n2")],
    [message("user", "\x1c\x1ftrimmed\u2003\u200b\x1c")],
]
# Qwen3 lays out what the assistant thought in its own way; the others take it as it stands.
THOUGHTS = CHATS + [
    [message("user", "1+1"), message("assistant", "<think>\nadd\n</think>\n\n2"),
     message("user", "and 1?"), message("assistant", "<think>\n\nmore\n\n</think>\n\n3\n")],
    [message("system", "Be short."), message("user", "a"), message("assistant", "no thought"),
     message("assistant", "\n\n<think>x<think>\ny</think> z </think>\n\nb")],
    [message("user", "a"), message("assistant", "</think>"), message("user", "b</think>c"),
     message("assistant", "one"), message("assistant", "<think></think>")],
    [message("assistant", "first <think>\u0301</think>\u0301 word"), message("user",
     "<tool_response>4</tool_response>"), message("assistant", "it is\r\n</think>\r\n4")],
    [message("user", "a"), message("assistant", "<think>b</think>c"), message("user",
     "<tool_response>4</tool_response>"), message("assistant", "\n\nd")],
]


def expectation(name, template, options):
    kind = "llama3" if name.startswith("llama") else "qwen2"
    begin = "<|begin_of_text|>" if kind == "llama3" else None
    tokenizer = PreTrainedTokenizerFast(
        tokenizer_file=str(HERE / "tokenizers" / f"{kind}.json"), bos_token=begin,
        clean_up_tokenization_spaces=False)
    tokenizer.chat_template = template
    chats = []
    for messages in THOUGHTS if name.startswith("qwen3") else CHATS:
        for continued in (True, False):
            text = tokenizer.apply_chat_template(
                messages, tokenize=False, add_generation_prompt=continued,
                date_string="26 Jul 2024", **options)
            ids = tokenizer(text, add_special_tokens=False)["input_ids"]
            if begin:
                assert text.startswith(begin)
                text = text[len(begin):]
            chats.append(dict(messages=messages, text=text, ids=ids, continued=continued))
    text = template.removesuffix("\n").encode()
    return dict(digest=hashlib.blake2b(text, digest_size=32).hexdigest(), chats=chats)


def main():
    long = pathlib.Path(sys.argv[1])
    path = HERE / "chats" / "expected.json"
    expected = json.loads(path.read_text())
    for name, template in SHORT.items():
        expected[name] = expectation(name, template, {}) | dict(template=template)
    for name in LONG:
        if (long / f"{name}.jinja").exists():
            expected[name] = expectation(name, (long / f"{name}.jinja").read_text(), {})
    if (long / "qwen3.jinja").exists():
        template = (long / "qwen3.jinja").read_text()
        expected["qwen3-no-thinking"] = expectation(
            "qwen3-no-thinking", template, dict(enable_thinking=False))
        # Two texts that lay every chat here out alike share a name.
        first = expectation("qwen3", (long / "qwen3-first.jinja").read_text(), {})
        assert first["chats"] == expected["qwen3"]["chats"]
        expected["qwen3"]["also"] = first["digest"]
    for name, entry in expected.items():
        print(name, entry["digest"], entry.get("also", ""))
    path.write_text(json.dumps(expected, separators=(",", ":")))


main()

"""Another library's chats: what transformers' apply_chat_template makes of conversations.

    python3 -m venv oracle && oracle/bin/pip install transformers jinja2
    oracle/bin/python Tests/PolicyTests/Fixtures/make_chats.py FOLDER

Written for transformers 5.23. The short templates stand here. The long ones are read from FOLDER
as NAME.jinja, the `chat_template` of a published tokenizer_config.json: qwen2.5 of Qwen2.5-0.5B-
Instruct, llama3.1 of Llama-3.2-1B-Instruct, whose date is given here as the one it falls back to.

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
LONG = ["qwen2.5", "llama3.1"]


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


def main():
    long = pathlib.Path(sys.argv[1])
    templates = SHORT | {name: (long / f"{name}.jinja").read_text() for name in LONG}
    expected = {}
    for name, template in templates.items():
        kind = "llama3" if name.startswith("llama") else "qwen2"
        begin = "<|begin_of_text|>" if kind == "llama3" else None
        tokenizer = PreTrainedTokenizerFast(
            tokenizer_file=str(HERE / "tokenizers" / f"{kind}.json"), bos_token=begin,
            clean_up_tokenization_spaces=False)
        tokenizer.chat_template = template
        chats = []
        for messages in CHATS:
            for continued in (True, False):
                text = tokenizer.apply_chat_template(
                    messages, tokenize=False, add_generation_prompt=continued,
                    date_string="26 Jul 2024")
                ids = tokenizer(text, add_special_tokens=False)["input_ids"]
                if begin:
                    assert text.startswith(begin)
                    text = text[len(begin):]
                chats.append(dict(messages=messages, text=text, ids=ids, continued=continued))
        text = template.removesuffix("\n").encode()
        digest = hashlib.blake2b(text, digest_size=32).hexdigest()
        expected[name] = dict(digest=digest, chats=chats)
        if name in SHORT:
            expected[name]["template"] = template
        print(name, digest)
    (HERE / "chats" / "expected.json").write_text(json.dumps(expected, separators=(",", ":")))


main()

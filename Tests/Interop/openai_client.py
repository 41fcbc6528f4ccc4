"""PyPI's `openai` against `forage serve`: what its client asks, and what it makes of the answers.

    python openai_client.py FORAGE FOLDER

FORAGE is the program, FOLDER what chat_model.py made. Starts its own servers on free ports. Every
claim is an assert; the last line counts them by name.
"""

import asyncio
import json
import os
import pathlib
import signal
import subprocess
import sys
import tempfile
import threading
import time
import urllib.error
import urllib.request

import openai
from prometheus_client.parser import text_string_to_metric_families

FORAGE, MODEL = sys.argv[1], pathlib.Path(sys.argv[2])
NAME = MODEL.name
PROMPT = "Hello world"
CHAT = [{"role": "system", "content": "Be brief."},
        {"role": "user", "content": "Grüße! <|im_end|>"}]


class Server:
    """`forage serve` with these options, until the block ends."""

    def __init__(self, *options, token="none"):
        self.process = subprocess.Popen(
            [FORAGE, "serve", "--model", MODEL, "--listen", "127.0.0.1:0", "--threads", "1",
             *options], stdout=subprocess.PIPE, text=True)
        line = self.process.stdout.readline()
        assert line.startswith(f"serving {NAME} at http://127.0.0.1:"), line
        self.url = line.split()[3].rstrip(":").removesuffix("/v1")
        self.settings = {"base_url": self.url + "/v1", "api_key": token, "max_retries": 0}
        self.client = openai.OpenAI(**self.settings)

    def __enter__(self):
        return self

    def __exit__(self, *_):
        if self.process.poll() is None:
            self.process.terminate()
        assert self.process.wait(30) == 0, self.process.returncode

    def get(self, path, headers={}):
        request = urllib.request.Request(self.url + path, headers=headers)
        try:
            with urllib.request.urlopen(request, timeout=30) as reply:
                return reply.status, reply.read().decode()
        except urllib.error.HTTPError as error:
            return error.code, error.read().decode()

    def metrics(self):
        """Values by (name, labels), as Prometheus' own parser reads them."""
        text = self.get("/metrics")[1]
        return {(sample.name, tuple(sorted(sample.labels.items()))): sample.value
                for family in text_string_to_metric_families(text) for sample in family.samples}

    def wait_for(self, name, value):
        for _ in range(300):
            if self.metrics().get((name, ())) == value:
                return
            time.sleep(0.05)
        raise AssertionError(f"{name} is {self.metrics().get((name, ()))}, not {value}")


def generate(*options, lines=None):
    """What `forage generate` says, a document a prompt."""
    command = [FORAGE, "generate", "--model", MODEL, "--threads", "1", "--json", *options]
    if lines is not None:
        command += ["--input", "-"]
    out = subprocess.run(
        command, input="".join(json.dumps(line) + "\n" for line in lines or []), text=True,
        capture_output=True, check=True).stdout
    return [json.loads(line)["completions"] for line in out.splitlines()]


def models(server):
    listed = server.client.models.list().data
    assert [model.id for model in listed] == [NAME]
    assert server.client.models.retrieve(NAME).object == "model"
    for path in ("/healthz", "/readyz"):
        assert server.get(path)[0] == 200


def greedy_is_generate(server):
    ours = generate("--prompt", PROMPT, "--temperature", "0", "--max-new-tokens", "40")[0][0]
    reply = server.client.completions.create(
        model=NAME, prompt=PROMPT, temperature=0, max_tokens=40, logprobs=3)
    choice = reply.choices[0]
    assert choice.text == ours["text"] and choice.finish_reason == "length"
    assert choice.logprobs.token_logprobs == ours["logprobs"]
    best = choice.logprobs.top_logprobs
    assert all(max(best[i].values()) == ours["logprobs"][i] for i in range(40))
    assert all(len(one) == 3 or "bytes:" in str(one) for one in best)
    assert choice.logprobs.text_offset == sorted(choice.logprobs.text_offset)
    assert reply.usage.completion_tokens == 40
    assert reply.usage.total_tokens == 40 + reply.usage.prompt_tokens
    chat = generate("--temperature", "0", "--max-new-tokens", "30", lines=[{"messages": CHAT}])
    reply = server.client.chat.completions.create(
        model=NAME, messages=CHAT, temperature=0, max_tokens=30)
    assert reply.choices[0].message.content == chat[0][0]["text"]
    assert reply.choices[0].message.role == "assistant"


def sampled_is_generate(server):
    """The same seed samples the same, here and there, again and again, and another otherwise."""
    prompts = ["the", "sand and", PROMPT]
    ours = generate("--samples", "3", "--seed", "11", "--max-new-tokens", "25",
                    lines=[{"prompt": prompt} for prompt in prompts])
    texts = [one["text"] for group in ours for one in group]

    def ask(seed):
        reply = server.client.completions.create(
            model=NAME, prompt=prompts, n=3, seed=seed, max_tokens=25, temperature=1)
        assert [choice.index for choice in reply.choices] == list(range(9))
        return [choice.text for choice in reply.choices]

    assert ask(11) == texts == ask(11)
    assert ask(12) != texts and ask(None) != ask(None)
    reasons = {choice.finish_reason for choice in server.client.completions.create(
        model=NAME, prompt=PROMPT, n=64, temperature=2, max_tokens=60).choices}
    assert reasons == {"stop", "length"}, reasons


def ids_are_prompts(server):
    ids = subprocess.run(
        [FORAGE, "tokenize", "--tokenizer", MODEL, "--input", "-"], text=True,
        input=json.dumps({"text": PROMPT}) + "\n", capture_output=True, check=True).stdout
    ids = json.loads(ids)

    def ask(prompt):
        reply = server.client.completions.create(
            model=NAME, prompt=prompt, temperature=0, max_tokens=8)
        return [choice.text for choice in reply.choices]

    assert ask(ids) == ask(PROMPT) and ask([ids, ids]) == 2 * ask(PROMPT)


def streams(server):
    """All pieces are the whole, and no piece holds a part of a character."""
    whole = server.client.completions.create(
        model=NAME, prompt=PROMPT, temperature=0, max_tokens=300).choices[0].text
    assert any(ord(letter) > 0x2000 for letter in whole.replace("\ufffd", ""))
    pieces = list(server.client.completions.create(
        model=NAME, prompt=PROMPT, temperature=0, max_tokens=300, stream=True,
        stream_options={"include_usage": True}))
    assert "".join(piece.choices[0].text for piece in pieces[:-1]) == whole
    assert len(pieces) > 100 and pieces[-1].choices == []
    assert pieces[-1].usage.completion_tokens == 300
    assert [p.choices[0].finish_reason for p in pieces[-3:-1]] == [None, "length"]
    arguments = {"model": NAME, "messages": CHAT, "n": 2, "seed": 5, "max_completion_tokens": 50}
    whole = server.client.chat.completions.create(**arguments)
    texts, roles, reasons = ["", ""], [0, 0], [None, None]
    for piece in server.client.chat.completions.create(stream=True, **arguments):
        choice = piece.choices[0]
        texts[choice.index] += choice.delta.content or ""
        roles[choice.index] += choice.delta.role == "assistant"
        reasons[choice.index] = choice.finish_reason or reasons[choice.index]
    assert texts == [choice.message.content for choice in whole.choices]
    assert roles == [1, 1] and None not in reasons


def stops(server):
    """A stop text ends the text before it, streamed or not, and leaks no beginning of itself."""
    whole = server.client.completions.create(
        model=NAME, prompt=PROMPT, temperature=0, max_tokens=120).choices[0].text
    for start in range(8, 60, 5):
        stop = whole[start:start + 6]
        for texts in (stop, ["never there", stop], [stop + "no", stop]):
            arguments = {"model": NAME, "prompt": PROMPT, "temperature": 0, "max_tokens": 120,
                         "stop": texts}
            reply = server.client.completions.create(**arguments)
            assert reply.choices[0].text == whole[:whole.index(stop)], (start, texts)
            assert reply.choices[0].finish_reason == "stop"
            assert reply.usage.completion_tokens < 120
            told = ""
            for piece in server.client.completions.create(stream=True, **arguments):
                told += piece.choices[0].text
                assert whole[:whole.index(stop)].startswith(told)
            assert told == reply.choices[0].text
    # What looks like a stop until the end, and is none, is told at the end.
    arguments = {"model": NAME, "prompt": PROMPT, "temperature": 0, "max_tokens": 120}
    kept = server.client.completions.create(stop=whole[-2:] + "never", **arguments)
    assert kept.choices[0].text == whole and kept.choices[0].finish_reason == "length"


def chat_log_probs(server):
    reply = server.client.chat.completions.create(
        model=NAME, messages=CHAT, temperature=0, max_tokens=20, logprobs=True, top_logprobs=4)
    content = reply.choices[0].logprobs.content
    assert len(content) == 20
    for entry in content:
        assert len(entry.top_logprobs) == 4
        assert entry.top_logprobs[0].token == entry.token
        assert entry.top_logprobs[0].logprob == entry.logprob
        ranked = [one.logprob for one in entry.top_logprobs]
        assert ranked == sorted(ranked, reverse=True)
    # Special tokens have no text.
    text = b"".join(bytes(one.bytes) for one in content if not one.token.startswith("<|"))
    assert text.decode(errors="replace") == reply.choices[0].message.content


def nucleus(server):
    def ask(**options):
        return server.client.completions.create(
            model=NAME, prompt=PROMPT, max_tokens=40, n=2, seed=3, **options).choices
    greedy = ask(temperature=0)[0].text
    assert [choice.text for choice in ask(top_p=1e-9)] == [greedy, greedy]
    assert ask(top_p=0.5)[0].text == ask(top_p=0.5)[0].text
    # Of the distribution at the temperature: a nucleus of half holds no token rarer than that.
    for choice in ask(top_p=0.3, logprobs=20):
        for value, best in zip(choice.logprobs.token_logprobs, choice.logprobs.top_logprobs):
            above = [p for p in best.values() if p > value]
            assert sum(2.718281828 ** p for p in above) < 0.3 + 1e-4, (value, best)


def concurrent(server):
    """Forty at once, of all sizes, each what it is alone."""
    def arguments(index):
        return {"model": NAME, "prompt": PROMPT[:1 + index % 11], "seed": index,
                "max_tokens": 1 + 7 * (index % 13), "n": 1 + index % 3,
                "temperature": (index % 4) / 2, "top_p": 1 - 0.4 * (index % 2)}

    async def all_at_once():
        client = openai.AsyncOpenAI(**server.settings)
        replies = await asyncio.gather(
            *(client.completions.create(**arguments(index)) for index in range(40)))
        await client.close()
        return replies

    together = asyncio.run(all_at_once())
    for index in range(40):
        alone = server.client.completions.create(**arguments(index))
        for left, right in zip(alone.choices, together[index].choices, strict=True):
            assert (left.text, left.finish_reason) == (right.text, right.finish_reason), index


def refusals(server):
    def refused(kind, parameter, ask=server.client.completions.create, **options):
        try:
            ask(**({"model": NAME, "prompt": PROMPT} | options))
        except kind as error:
            assert error.param == parameter, (error.param, parameter, error.message)
            return error
        raise AssertionError(f"{options} was taken")

    bad = openai.BadRequestError
    refused(bad, "temperature", temperature=3)
    refused(bad, "top_p", top_p=-1)
    refused(bad, "n", n=0)
    refused(bad, "n", n=65, prompt=["a", "b"])
    refused(bad, "max_tokens", max_tokens=0)
    error = refused(bad, "max_tokens", max_tokens=3000)
    assert error.code == "context_length_exceeded"
    refused(bad, "prompt", prompt=[[0, 100000]])
    refused(bad, "prompt", prompt=[])
    refused(bad, "stop", stop=["a", "b", "c", "d", "e"])
    refused(bad, "logit_bias", logit_bias={"5": 1})
    refused(bad, "echo", echo=True)
    refused(bad, "min_p", extra_body={"min_p": 0.1})
    refused(bad, "stream_options", extra_body={"stream_options": {"include_usage": True}})
    refused(openai.NotFoundError, "model", model="gpt")
    chat = server.client.chat.completions.create

    def chat_refused(parameter, **options):
        try:
            chat(**({"model": NAME, "messages": CHAT} | options))
        except bad as error:
            assert error.param == parameter, (error.param, error.message)
            return
        raise AssertionError(f"{options} was taken")

    chat_refused("messages", messages=[])
    chat_refused("messages[0].role", messages=[{"role": "tool", "content": "x"}])
    chat_refused("tools", tools=[{"type": "function", "function": {"name": "f"}}])
    chat_refused("top_logprobs", top_logprobs=3)
    for body, status in ((b"{", 400), (b"[]", 400), (b"{}", 400), (b" " * (5 << 20), 413)):
        request = urllib.request.Request(server.url + "/v1/completions", data=body)
        try:
            urllib.request.urlopen(request, timeout=30)
            raise AssertionError(f"{body[:9]} was taken")
        except urllib.error.HTTPError as error:
            assert error.code == status, (body[:9], error.code)
    assert server.get("/v1/completions")[0] == 405 and server.get("/v2")[0] == 404


def leaving(server):
    """A client that goes away frees its slot at once, streamed or not."""
    arguments = {"model": NAME, "prompt": PROMPT, "temperature": 0, "max_tokens": 16000}
    stream = server.client.completions.create(stream=True, **arguments)
    next(iter(stream))
    stream.close()
    server.wait_for("forage_serve_cancelled_total", 1)
    server.wait_for("forage_serve_running_sequences", 0)
    try:
        server.client.with_options(timeout=0.3).completions.create(**arguments)
        raise AssertionError("16,000 tokens in 0.3 s")
    except openai.APITimeoutError:
        pass
    server.wait_for("forage_serve_cancelled_total", 2)
    server.wait_for("forage_serve_running_sequences", 0)
    values = server.metrics()
    assert values["forage_serve_completion_tokens_total", ()] < 20000


def full_queue(server):
    """One runs, one waits, the third is told to come again; then all is as before."""
    def ask(client):
        return client.completions.create(
            model=NAME, prompt=PROMPT, temperature=0, max_tokens=16000, stream=True)

    first = ask(server.client)
    next(iter(first))
    second = threading.Thread(target=lambda: list(ask(openai.OpenAI(**server.settings)))[:0])
    second.daemon = True
    second.start()
    server.wait_for("forage_serve_waiting_requests", 1)
    try:
        ask(openai.OpenAI(**server.settings))
        raise AssertionError("a third was taken")
    except openai.RateLimitError as error:
        assert error.code == "queue_full" and error.response.headers["retry-after"]
    first.close()
    second.join(60)
    assert not second.is_alive()


def ends_well():
    """SIGTERM: what runs is answered whole, what comes is refused, the status is 0."""
    server = Server()
    whole = server.client.completions.create(
        model=NAME, prompt=PROMPT, temperature=0, max_tokens=1900).choices[0].text
    stream = iter(server.client.completions.create(
        model=NAME, prompt=PROMPT, temperature=0, max_tokens=1900, stream=True))
    told = next(stream).choices[0].text
    server.process.send_signal(signal.SIGTERM)
    time.sleep(0.1)
    try:
        openai.OpenAI(**server.settings).models.list()
        raise AssertionError("a stopping server answered a new client")
    except openai.APIConnectionError:
        pass
    told += "".join(piece.choices[0].text for piece in stream)
    assert told == whole and server.process.wait(30) == 0


def tokens():
    with tempfile.TemporaryDirectory() as folder:
        path = pathlib.Path(folder, "token")
        path.touch(mode=0o600)
        path.write_text("a-token-of-the-test\n")
        with Server("--token-file", path, token="a-token-of-the-test") as server:
            assert server.client.models.list().data[0].id == NAME
            for token in ("a-token-of-the-tesT", "a-token-of-the-test2", "x"):
                try:
                    openai.OpenAI(**(server.settings | {"api_key": token})).models.list()
                    raise AssertionError(f"{token} was taken")
                except openai.AuthenticationError as error:
                    assert error.code == "invalid_api_key"
            assert server.get("/healthz")[0] == 200 and server.get("/metrics")[0] == 401
        path.chmod(0o644)
        # Each is refused before the model is read.
        for options, status in (
                (["--token-file", path], 77), (["--listen", "0.0.0.0:0"], 77),
                (["--listen", "nowhere"], 2), (["--chat", "none"], 2)):
            ended = subprocess.run(
                [FORAGE, "serve", "--model", MODEL, *options], capture_output=True, timeout=30)
            assert ended.returncode == status, (options, ended)


def run(claims, *options):
    with Server(*options) as server:
        for claim in claims:
            claim(server)
            passed.append(claim.__name__)


passed = []
run([models, greedy_is_generate, sampled_is_generate, ids_are_prompts, streams, stops,
     chat_log_probs, nucleus, concurrent, refusals])
run([leaving], "--context", "16384")
run([full_queue], "--context", "16384", "--slots", "1", "--queue", "1")
for claim in (ends_well, tokens):
    claim()
    passed.append(claim.__name__)
print(f"{len(passed)} claims hold: {', '.join(passed)}")

"""Another library's numbers for the policy: small random models of each family, what PyTorch and
transformers say of a few completions, and what one AdamW step makes of them.

    python3 -m venv oracle && oracle/bin/pip install torch transformers safetensors
    oracle/bin/python Tests/PolicyTests/Fixtures/make.py

Written for torch 2.13, transformers 5.23; the same versions write the same bytes. Each family gets
a folder with a Hugging Face model (F32) and expected.safetensors, which holds, over the groups g
and completions c, every completion token a query, in order:

    group{g}.prompt, group{g}.completion{c}   token ids; group{g}.temperature
    logprobs, entropies                       log pi(token), and the entropy of its distribution
    logprob_slopes, entropy_slopes            loss = sum of slope * scalar
    loss, gradient_norm                       scalars, before clipping
    gradient.NAME                             d(loss)/d(weight), before clipping
    moment1.NAME, moment2.NAME, weight.NAME   after clip_grad_norm_(1) and one step of AdamW:
                                              lr 1e-3, betas 0.9 0.999, eps 1e-8, no decay

All is computed in float64 and stored as F32. transformers computes norms, softmax and rotary angles
in float32 whatever the model's type, so those three are replaced here by their formulas; a plain
float32 run of the untouched library must then agree to 1e-4.
"""

import math
import pathlib

import torch
from safetensors.torch import save_file
from transformers import LlamaConfig, LlamaForCausalLM, Qwen2Config, Qwen2ForCausalLM
from transformers import Qwen3Config, Qwen3ForCausalLM

HERE = pathlib.Path(__file__).parent
VOCABULARY = 40
SIZES = dict(vocab_size=VOCABULARY, hidden_size=32, intermediate_size=48, num_hidden_layers=2,
             num_attention_heads=4, num_key_value_heads=2, max_position_embeddings=128,
             attn_implementation="eager", bos_token_id=1, eos_token_id=2, pad_token_id=0)
FAMILIES = {
    "llama": (LlamaForCausalLM, LlamaConfig(
        **SIZES, tie_word_embeddings=True, rms_norm_eps=1e-5,
        rope_parameters=dict(rope_type="default", rope_theta=10000.0))),
    "llama3": (LlamaForCausalLM, LlamaConfig(
        **SIZES, tie_word_embeddings=False, rms_norm_eps=1e-5,
        rope_parameters=dict(rope_type="llama3", rope_theta=10000.0, factor=8.0,
                             low_freq_factor=1.0, high_freq_factor=4.0,
                             original_max_position_embeddings=64))),
    "qwen2": (Qwen2ForCausalLM, Qwen2Config(
        **SIZES, tie_word_embeddings=True, rms_norm_eps=1e-6,
        rope_parameters=dict(rope_type="linear", rope_theta=1000000.0, factor=4.0))),
    "qwen3": (Qwen3ForCausalLM, Qwen3Config(
        **SIZES, head_dim=12, tie_word_embeddings=True, rms_norm_eps=1e-6,
        rope_parameters=dict(rope_type="default", rope_theta=1000000.0))),
}
# (prompt length, completion lengths, temperature): a lone token, a lone prompt token, a long one.
GROUPS = [(5, [4, 1, 9], 1.0), (1, [6, 3], 0.7)]


def randomize(model, generator):
    """Weights far from uniform predictions: logits of deviation near 2, attention that chooses."""
    for name, weight in model.named_parameters():
        noise = torch.randn(weight.shape, generator=generator, dtype=torch.float32)
        if "norm" in name:
            weight.data = 1 + 0.2 * noise
        elif "embed" in name or "lm_head" in name:
            weight.data = 0.4 * noise
        else:
            weight.data = 0.2 * noise


def frequencies(config):
    """Rotary frequencies in float64, by the formulas transformers evaluates in float32."""
    rope = config.rope_parameters
    size = getattr(config, "head_dim", None) or config.hidden_size // config.num_attention_heads
    plain = rope["rope_theta"] ** -(torch.arange(0, size, 2, dtype=torch.float64) / size)
    if rope["rope_type"] == "linear":
        return plain / rope["factor"]
    if rope["rope_type"] == "llama3":
        low, high = rope["low_freq_factor"], rope["high_freq_factor"]
        turns = rope["original_max_position_embeddings"] * plain / (2 * math.pi)
        smooth = ((turns - low) / (high - low)).clamp(0, 1)
        return (1 - smooth) * plain / rope["factor"] + smooth * plain
    return plain


def widen(model):
    """Turns the model into float64 throughout."""
    model.double()
    model.set_attn_implementation("sdpa")  # eager softmax is float32; this one is float64 on a CPU
    angles = frequencies(model.config)
    for module in model.modules():
        kind = type(module).__name__
        if kind.endswith("RMSNorm"):
            def norm(x, self=module):
                scale = torch.rsqrt(x.pow(2).mean(-1, keepdim=True) + self.variance_epsilon)
                return self.weight * (x * scale)
            module.forward = norm
        elif kind.endswith("RotaryEmbedding"):
            torch.testing.assert_close(module.inv_freq.double(), angles, rtol=1e-6, atol=0)
            def rotary(x, position_ids, angles=angles):
                turned = position_ids[..., None].double() * angles
                turned = torch.cat((turned, turned), dim=-1)
                return turned.cos(), turned.sin()
            module.forward = rotary


def scalars(model, groups):
    """Log-probs and entropies of every completion token, in order, each sequence on its own."""
    chosen, entropies = [], []
    for prompt, completions, temperature in groups:
        inverse = (torch.tensor(1.0) / torch.tensor(temperature)).double()  # the product's F32
        for completion in completions:
            tokens = torch.cat((prompt, completion))[None]
            logits = model(input_ids=tokens).logits[0, len(prompt) - 1:-1]
            table = torch.log_softmax(logits.double() * inverse, dim=-1)
            chosen.append(table.gather(1, completion[:, None])[:, 0])
            entropies.append(-(table.exp() * table).sum(-1))
    return torch.cat(chosen), torch.cat(entropies)


def main():
    for index, (family, (architecture, config)) in enumerate(FAMILIES.items()):
        generator = torch.Generator().manual_seed(1000 + index)
        folder = HERE / family
        model = architecture(config).eval()
        randomize(model, generator)
        model.save_pretrained(folder)

        draw = lambda n: torch.randint(3, VOCABULARY, (n,), generator=generator)
        groups = [(draw(p), [draw(n) for n in lengths], t) for p, lengths, t in GROUPS]
        with torch.no_grad():
            plain = scalars(model, groups)
        widen(model)
        chosen, entropies = scalars(model, groups)
        for wide, narrow in zip((chosen, entropies), plain):
            torch.testing.assert_close(narrow.double(), wide, rtol=1e-4, atol=1e-4)

        slopes = torch.randn(len(chosen), generator=generator)
        slopes[2] = 0  # a token that is not trained
        entropy_slopes = 0.5 * torch.randn(len(chosen), generator=generator)
        loss = (slopes.double() * chosen).sum() + (entropy_slopes.double() * entropies).sum()
        weights = dict(model.named_parameters())
        optimizer = torch.optim.AdamW(weights.values(), lr=1e-3, betas=(0.9, 0.999), eps=1e-8,
                                      weight_decay=0)
        loss.backward()
        gradients = {name: weight.grad.clone() for name, weight in weights.items()}
        norm = torch.nn.utils.clip_grad_norm_(weights.values(), 1.0)
        assert norm > 2, f"clipping would not show at a norm of {norm}"
        optimizer.step()

        expected = {"logprobs": chosen, "entropies": entropies, "logprob_slopes": slopes,
                    "entropy_slopes": entropy_slopes, "loss": loss[None], "gradient_norm": norm[None]}
        for g, (prompt, completions, temperature) in enumerate(groups):
            expected[f"group{g}.temperature"] = torch.tensor([temperature])
            expected[f"group{g}.prompt"] = prompt.int()
            for c, completion in enumerate(completions):
                expected[f"group{g}.completion{c}"] = completion.int()
        for name, weight in weights.items():
            expected[f"gradient.{name}"] = gradients[name]
            expected[f"moment1.{name}"] = optimizer.state[weight]["exp_avg"]
            expected[f"moment2.{name}"] = optimizer.state[weight]["exp_avg_sq"]
            expected[f"weight.{name}"] = weight
        stored = {name: (value if value.dtype == torch.int32 else value.detach().float()).contiguous()
                  for name, value in expected.items()}
        save_file(stored, folder / "expected.safetensors")
        print(f"{family}: {len(chosen)} queries, log-probs {chosen.min():.2f} to {chosen.max():.2f}, "
              f"entropies {entropies.min():.2f} to {entropies.max():.2f}, gradient norm {norm:.2f}")


main()

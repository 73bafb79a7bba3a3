"""Render prompts in a process of its own, which a chat template can neither keep for ever nor fill the machine with.

`python -m opsft.chat_template_worker` is that process: JSON in, JSON out.
"""

import json
import math
import os
import pathlib
import resource
import signal
import subprocess
import sys
import time

from opsft.chat_template import ChatTemplate, TemplateEndless, TemplateFailed

SECONDS = 20
"""Processor time for a template, beside what its prompts may take."""
PROMPTS_A_SECOND = 100
"""A hundred times fewer than a usual template makes."""
MEMORY_MB = 1024
"""Memory for a template, beside ten times what it is asked."""
WALL_FACTOR = 60
"""The wall-clock that the process may take, in multiples of its processor time: the machine may be busy."""


def render_all(
    template: ChatTemplate, conversations: list[list[dict]], add_generation_prompt: bool = True
) -> list[str]:
    """The prompt of each conversation, in their order.

    Raises TemplateFailed where the template raises or makes too much text, TemplateEndless where it takes more than its memory or its
    time: `SECONDS` of the processor, and a hundredth for each prompt.
    """
    limit = SECONDS + len(conversations) // PROMPTS_A_SECOND
    asked = {**vars(template), "conversations": conversations, "add": add_generation_prompt, "seconds": limit}
    folder = str(pathlib.Path(__file__).resolve().parents[1])
    paths = os.pathsep.join(filter(None, [folder, os.environ.get("PYTHONPATH")]))
    try:
        done = subprocess.run(
            [sys.executable, "-m", __name__],
            input=json.dumps(asked).encode(),
            capture_output=True,
            env={**os.environ, "PYTHONPATH": paths},
            timeout=limit * WALL_FACTOR,
        )
    except subprocess.TimeoutExpired:
        raise TemplateEndless(f"it does not end: stopped after {limit * WALL_FACTOR} s") from None
    if done.returncode == -signal.SIGXCPU:
        raise TemplateEndless(f"it does not end: stopped after {limit} s of processor time")
    if done.returncode:
        raise TemplateEndless(
            f"its process ended with {done.returncode}: {done.stderr.decode(errors='replace')[-300:]!r}"
        )
    answer = json.loads(done.stdout)
    if "error" in answer:
        raise (TemplateEndless if answer["endless"] else TemplateFailed)(answer["error"])
    return answer["prompts"]


def main() -> None:
    text = sys.stdin.buffer.read()
    asked, memory = json.loads(text), (MEMORY_MB << 20) + 10 * len(text)
    # The time that Python took to begin is not the template's.
    seconds = math.ceil(time.process_time()) + asked["seconds"]
    resource.setrlimit(resource.RLIMIT_CPU, (seconds, seconds + 1))
    resource.setrlimit(resource.RLIMIT_AS, (memory, memory))
    resource.setrlimit(resource.RLIMIT_CORE, (0, 0))
    template = ChatTemplate(asked["text"], asked["special_tokens"])
    try:
        answer = {"prompts": [template.render(messages, asked["add"]) for messages in asked["conversations"]]}
    except TemplateFailed as error:
        answer = {"error": str(error), "endless": isinstance(error, TemplateEndless)}
    json.dump(answer, sys.stdout)


if __name__ == "__main__":
    main()

"""Run as a script of its own: the output size of an ONNX file for each input size.

`python child.py FACTS` reads a height and a width from each line of its input and answers with a
line of JSON, {"shape": [...]} or {"error": "..."}. Sizes that a file was not made for can end the
process in native code (a division by zero in a shape that is computed), which must not be that of
the user. It imports nothing of framelift, so that it starts quickly.
"""

from __future__ import annotations

import json
import sys
from typing import Any

import numpy as np
import onnxruntime


def main() -> None:
    facts: dict[str, Any] = json.loads(sys.argv[1])
    options = onnxruntime.SessionOptions()
    options.log_severity_level = 4
    try:
        session = onnxruntime.InferenceSession(
            facts["path"], options, providers=["CPUExecutionProvider"], enable_fallback=0
        )
    except Exception as error:  # onnxruntime's own exception types share no public base
        answer({"refused": short(error)})
        return
    answer({"ready": True})
    for line in sys.stdin:
        height, width = map(int, line.split())
        shape = [*facts["leading"], height, width]
        values = np.random.default_rng(0).random(shape, np.float32).astype(facts["dtype"])
        try:
            (output,) = session.run([facts["output"]], {facts["input"]: values})
            kind = getattr(output, "dtype", None)
            if kind is None or kind.kind != "f":
                answer({"error": "its output is not a float tensor"})
            else:
                answer({"shape": list(output.shape)})
        except Exception as error:
            answer({"error": short(error)})


def answer(content: dict[str, object]) -> None:
    sys.stdout.write(json.dumps(content) + "\n")
    sys.stdout.flush()


def short(error: Exception) -> str:
    return " ".join(str(error).split())[:200] or type(error).__name__


if __name__ == "__main__":
    main()

/**
 * Where ONNX Runtime put the nodes of a network. It says so only in its verbose log, which goes to
 * the console: while a session is made, the log is read here and kept off the console.
 */
const WHOLE = /All nodes placed on \[(\w+)\]\. Number of nodes: (\d+)/;
const PART = /Node\(s\) placed on \[(\w+)\]\. Number of nodes: (\d+)/;
const METHODS = ["log", "info", "warn", "error", "debug"] as const;

export interface Placements {
  counts(): { nodes: number; onGpu: number };
  stop(): void;
}

export function placements(): Placements {
  const lines: string[] = [];
  const before = METHODS.map((name) => console[name]);
  METHODS.forEach((name, index) => {
    console[name] = (...parts: unknown[]) => {
      const line = String(parts[0]);
      if (/\[[VI]:onnxruntime/.test(line)) lines.push(line);
      else if (!/\[W:onnxruntime/.test(line)) before[index]!(...parts);
    };
  });
  return {
    counts: () => {
      let nodes = 0;
      let onGpu = 0;
      for (const line of lines) {
        const found = WHOLE.exec(line) ?? PART.exec(line);
        if (!found) continue;
        nodes += Number(found[2]);
        if (found[1]!.startsWith("WebGpu")) onGpu += Number(found[2]);
      }
      return { nodes, onGpu };
    },
    stop: () => METHODS.forEach((name, index) => (console[name] = before[index]!)),
  };
}

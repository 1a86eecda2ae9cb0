import { copyFileSync, mkdirSync } from "node:fs";
import { join } from "node:path";
import { defineConfig, type Plugin } from "vite";

/** ONNX Runtime is copied as released and loaded by its address, only once a model is run. */
const RUNTIME = [
  "ort.wasm.min.mjs",
  "ort-wasm-simd-threaded.mjs",
  "ort-wasm-simd-threaded.wasm",
  "ort.webgpu.min.mjs",
  "ort-wasm-simd-threaded.asyncify.mjs",
  "ort-wasm-simd-threaded.asyncify.wasm",
];

function runtime(): Plugin {
  return {
    name: "onnxruntime",
    apply: "build",
    closeBundle() {
      mkdirSync("dist/ort", { recursive: true });
      for (const name of RUNTIME) {
        copyFileSync(join("node_modules/onnxruntime-web/dist", name), join("dist/ort", name));
      }
    },
  };
}

export default defineConfig({
  base: "./", // the site may lie in any folder of a host
  build: { target: "es2022", modulePreload: { polyfill: false }, assetsInlineLimit: 0 },
  worker: { format: "es" },
  plugins: [runtime()],
});

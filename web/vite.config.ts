import { copyFileSync, mkdirSync, readFileSync, writeFileSync } from "node:fs";
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

/** What of others the page holds, with its licence; ONNX Runtime's packages lack theirs. */
const OTHERS = {
  mediabunny: "node_modules/mediabunny/LICENSE",
  "onnxruntime-web": "onnxruntime.licence.txt",
};

function licences(): string {
  const texts = Object.entries(OTHERS).map(([name, file]) => {
    const facts = JSON.parse(readFileSync(join("node_modules", name, "package.json"), "utf8"));
    const head = `${name} ${facts.version} (${facts.license}), the npm package of that name`;
    return `${head}\n\n${readFileSync(file, "utf8")}`;
  });
  return texts.join(`\n${"-".repeat(78)}\n\n`);
}

function runtime(): Plugin {
  return {
    name: "onnxruntime",
    apply: "build",
    closeBundle() {
      writeFileSync("dist/licences.txt", licences());
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

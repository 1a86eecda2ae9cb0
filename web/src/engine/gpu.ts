/** The GPU of this browser, if it has one that is worth using. */
import type { EngineName, ModelSource } from "./messages";

export interface Gpu {
  adapter: GPUAdapter;
  name: string;
  hasHalf: boolean;
  /** Computed by the processor; right, but slower than WebAssembly. */
  isSoftware: boolean;
}

export async function findGpu(): Promise<Gpu | null> {
  const adapter = await navigator.gpu
    ?.requestAdapter({ powerPreference: "high-performance" })
    .catch(() => null);
  if (!adapter) return null;
  const { vendor, architecture, device, description } = adapter.info;
  const words = [vendor, architecture, device].filter(Boolean);
  const isSoftware =
    adapter.info.isFallbackAdapter || /swiftshader|llvmpipe|basic render/i.test(words.join(" "));
  return {
    adapter,
    name: description || words.join(" ") || "unnamed GPU",
    hasHalf: adapter.features.has("shader-f16"),
    isSoftware,
  };
}

/** A device with the adapter's own limits; the default ones are too small for large tiles. */
export function makeDevice({ adapter, hasHalf }: Gpu): Promise<GPUDevice> {
  const { limits } = adapter;
  const features: GPUFeatureName[] = hasHalf ? ["shader-f16"] : [];
  if (adapter.features.has("subgroups")) features.push("subgroups");
  return adapter.requestDevice({
    requiredFeatures: features,
    requiredLimits: {
      maxBufferSize: limits.maxBufferSize,
      maxStorageBufferBindingSize: limits.maxStorageBufferBindingSize,
      maxComputeWorkgroupStorageSize: limits.maxComputeWorkgroupStorageSize,
      maxComputeWorkgroupSizeX: limits.maxComputeWorkgroupSizeX,
      maxComputeWorkgroupSizeY: limits.maxComputeWorkgroupSizeY,
      maxComputeWorkgroupSizeZ: limits.maxComputeWorkgroupSizeZ,
      maxComputeInvocationsPerWorkgroup: limits.maxComputeInvocationsPerWorkgroup,
      maxComputeWorkgroupsPerDimension: limits.maxComputeWorkgroupsPerDimension,
      maxStorageBuffersPerShaderStage: limits.maxStorageBuffersPerShaderStage,
    },
  });
}

/** What is taken when nothing is chosen: a GPU, unless it is one in software. int8 needs none. */
export async function bestEngine({ spec }: ModelSource): Promise<EngineName> {
  if (spec.precision === "int8") return "wasm";
  const gpu = await findGpu();
  return gpu && !gpu.isSoftware ? "webgpu" : "wasm";
}

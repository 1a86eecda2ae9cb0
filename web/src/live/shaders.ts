/** Between a video frame and the bytes that a model takes and gives, on the GPU. */

/**
 * A frame to uint8 H×W×3 BGR, four bytes a thread; beyond the frame its last pixels repeat. Notes in
 * `coloured` whether a pixel is not grey.
 */
export const PACK = /* wgsl */ `
struct Size { width: u32, height: u32, frameWidth: u32, frameHeight: u32 }

@group(0) @binding(0) var frame: texture_2d<f32>;
@group(0) @binding(1) var<storage, read_write> bytes: array<u32>;
@group(0) @binding(2) var<uniform> size: Size;
@group(0) @binding(3) var<storage, read_write> coloured: atomic<u32>;

@compute @workgroup_size(64)
fn main(@builtin(global_invocation_id) id: vec3u, @builtin(num_workgroups) groups: vec3u) {
  let word = id.x + id.y * groups.x * 64u;
  if (word >= arrayLength(&bytes)) { return; }
  var packed = 0u;
  for (var n = 0u; n < 4u; n++) {
    let byte = 4u * word + n;
    let pixel = byte / 3u;
    let at = vec2u(
      min(pixel % size.width, size.frameWidth - 1u),
      min(pixel / size.width, size.frameHeight - 1u),
    );
    let colour = textureLoad(frame, at, 0).rgb;
    if (colour.r != colour.g || colour.r != colour.b) { atomicStore(&coloured, 1u); }
    let value = colour[2u - byte % 3u];
    packed |= u32(round(clamp(value, 0.0, 1.0) * 255.0)) << (8u * n);
  }
  bytes[word] = packed;
}
`;

/**
 * uint8 H×W×3 BGR to the canvas, which may be smaller than what was computed. Of a grey frame its
 * BT.601 luma.
 */
export const SHOW = /* wgsl */ `
@group(0) @binding(0) var<storage, read> bytes: array<u32>;
@group(0) @binding(1) var<uniform> stride: u32;
@group(0) @binding(2) var<storage, read> coloured: u32;

@vertex
fn whole(@builtin(vertex_index) n: u32) -> @builtin(position) vec4f {
  let corner = vec2f(f32((n << 1u) & 2u), f32(n & 2u));
  return vec4f(2.0 * corner - 1.0, 0.0, 1.0);
}

fn byte(at: u32) -> f32 {
  return f32((bytes[at / 4u] >> (8u * (at % 4u))) & 255u) / 255.0;
}

@fragment
fn show(@builtin(position) position: vec4f) -> @location(0) vec4f {
  let at = 3u * (u32(position.y) * stride + u32(position.x));
  let colour = vec3f(byte(at + 2u), byte(at + 1u), byte(at));
  let luma = vec3f(dot(colour, vec3f(0.299, 0.587, 0.114)));
  return vec4f(select(luma, colour, coloured != 0u), 1.0);
}
`;

/** Shows upscaled frames that never leave the GPU. */
import type { GpuResult, GpuRun, Session } from "../engine/session";
import { PACK, SHOW } from "./shaders";
import { filled, type Screen } from "./screen";

const GROUP = 64;

export class GpuScreen implements Screen {
  private readonly device: GPUDevice;
  private readonly packer: GPUComputePipeline;
  private readonly shower: GPURenderPipeline;
  private readonly context: GPUCanvasContext;
  private readonly sizes: GPUBuffer;
  private readonly stride: GPUBuffer;
  private readonly coloured: GPUBuffer;
  private input: GPUBuffer | null = null;
  private picture: GPUTexture | null = null;
  /** Some systems cannot hand video frames to WebGPU, but bitmaps of them. */
  private takesFrames = true;

  constructor(
    private readonly session: Session,
    private readonly gpu: GpuRun,
    private readonly canvas: OffscreenCanvas,
  ) {
    const { device } = gpu;
    this.device = device;
    const format = navigator.gpu.getPreferredCanvasFormat();
    const pack = device.createShaderModule({ code: PACK });
    const show = device.createShaderModule({ code: SHOW });
    this.packer = device.createComputePipeline({
      layout: "auto",
      compute: { module: pack, entryPoint: "main" },
    });
    this.shower = device.createRenderPipeline({
      layout: "auto",
      vertex: { module: show, entryPoint: "whole" },
      fragment: { module: show, entryPoint: "show", targets: [{ format }] },
    });
    const usage = GPUBufferUsage.UNIFORM | GPUBufferUsage.COPY_DST;
    this.sizes = device.createBuffer({ size: 16, usage });
    this.stride = device.createBuffer({ size: 16, usage });
    this.coloured = device.createBuffer({
      size: 4,
      usage: GPUBufferUsage.STORAGE | GPUBufferUsage.COPY_DST,
    });
    this.context = canvas.getContext("webgpu")!;
    this.context.configure({ device, format, alphaMode: "opaque" });
  }

  async show(frame: VideoFrame, wanted: boolean): Promise<VideoFrame | null> {
    const size = filled(frame, this.session.spec);
    await this.pack(frame, size);
    const result = await this.gpu.run(this.input!, size.height, size.width);
    try {
      this.draw(result, frame, size.width);
      // Now: the canvas is presented when this task ends.
      return wanted ? new VideoFrame(this.canvas, timesOf(frame)) : null;
    } finally {
      await this.device.queue.onSubmittedWorkDone();
      result.dispose();
    }
  }

  async compute(frame: VideoFrame): Promise<Uint8Array> {
    const size = filled(frame, this.session.spec);
    await this.pack(frame, size);
    const result = await this.gpu.run(this.input!, size.height, size.width);
    try {
      return (await result.data()).slice();
    } finally {
      result.dispose();
    }
  }

  private async upload(frame: VideoFrame, texture: GPUTexture): Promise<void> {
    const { queue } = this.device;
    const size = [frame.displayWidth, frame.displayHeight];
    if (this.takesFrames) {
      try {
        return queue.copyExternalImageToTexture({ source: frame }, { texture }, size);
      } catch {
        this.takesFrames = false;
      }
    }
    const bitmap = await createImageBitmap(frame);
    queue.copyExternalImageToTexture({ source: bitmap }, { texture }, size);
    bitmap.close();
  }

  private async pack(
    frame: VideoFrame,
    { width, height }: { width: number; height: number },
  ): Promise<void> {
    const { device } = this;
    const words = Math.ceil((3 * width * height) / 4);
    if (this.input?.size !== 4 * words) {
      this.input?.destroy();
      const usage = GPUBufferUsage.STORAGE | GPUBufferUsage.COPY_DST | GPUBufferUsage.COPY_SRC;
      this.input = device.createBuffer({ size: 4 * words, usage });
    }
    const { displayWidth, displayHeight } = frame;
    if (this.picture?.width !== displayWidth || this.picture.height !== displayHeight) {
      this.picture?.destroy();
      const { TEXTURE_BINDING, COPY_DST, RENDER_ATTACHMENT } = GPUTextureUsage;
      this.picture = device.createTexture({
        size: [displayWidth, displayHeight],
        format: "rgba8unorm",
        usage: TEXTURE_BINDING | COPY_DST | RENDER_ATTACHMENT, // as copies of frames ask for
      });
    }
    await this.upload(frame, this.picture);
    const sizes = Uint32Array.of(width, height, displayWidth, displayHeight);
    device.queue.writeBuffer(this.sizes, 0, sizes);
    const isStyle = this.session.spec.task !== "super-resolution"; // which may colour grey frames
    device.queue.writeBuffer(this.coloured, 0, Uint32Array.of(Number(isStyle)));
    const group = device.createBindGroup({
      layout: this.packer.getBindGroupLayout(0),
      entries: [
        { binding: 0, resource: this.picture.createView() },
        { binding: 1, resource: { buffer: this.input } },
        { binding: 2, resource: { buffer: this.sizes } },
        { binding: 3, resource: { buffer: this.coloured } },
      ],
    });
    const encoder = device.createCommandEncoder();
    const pass = encoder.beginComputePass();
    pass.setPipeline(this.packer);
    pass.setBindGroup(0, group);
    const groups = Math.ceil(words / GROUP);
    const across = Math.min(groups, 4096);
    pass.dispatchWorkgroups(across, Math.ceil(groups / across));
    pass.end();
    device.queue.submit([encoder.finish()]);
  }

  private draw({ buffer }: GpuResult, frame: VideoFrame, width: number): void {
    const { device, canvas } = this;
    const { scale } = this.session.spec;
    if (canvas.width !== scale * frame.displayWidth) canvas.width = scale * frame.displayWidth;
    if (canvas.height !== scale * frame.displayHeight) canvas.height = scale * frame.displayHeight;
    device.queue.writeBuffer(this.stride, 0, Uint32Array.of(scale * width));
    const group = device.createBindGroup({
      layout: this.shower.getBindGroupLayout(0),
      entries: [
        { binding: 0, resource: { buffer } },
        { binding: 1, resource: { buffer: this.stride } },
        { binding: 2, resource: { buffer: this.coloured } },
      ],
    });
    const encoder = device.createCommandEncoder();
    const pass = encoder.beginRenderPass({
      colorAttachments: [
        { view: this.context.getCurrentTexture().createView(), loadOp: "clear", storeOp: "store" },
      ],
    });
    pass.setPipeline(this.shower);
    pass.setBindGroup(0, group);
    pass.draw(3);
    pass.end();
    device.queue.submit([encoder.finish()]);
  }
}

function timesOf({ timestamp, duration }: VideoFrame): VideoFrameInit {
  return duration === null ? { timestamp } : { timestamp, duration };
}

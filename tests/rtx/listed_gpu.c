/* The driver and the CUDA runtime of a machine with one GPU of compute capability 8.9, as far as
   NVIDIA's plug-in asks before it compiles for a named GPU. Nothing can be run on it. */
#include <stdlib.h>
#include <string.h>

typedef struct { /* how cudaDeviceProp of CUDA 13 begins */
  char name[256], uuid[16], luid[8];
  unsigned luid_mask;
  size_t global_memory, shared_memory;
  int registers, warp;
  size_t pitch;
  int threads, thread_sizes[3], grid_sizes[3];
  size_t constants;
  int major, minor;
} Properties;

int cudaGetDeviceCount(int *count) { return *count = 1, 0; }
int cudaGetDevice(int *device) { return *device = 0, 0; }
int cudaDeviceGetByPCIBusId(int *device, const char *place) { return *device = 0, 0; }
int cudaDeviceGetAttribute(int *value, int name, int device) { return *value = 1, 0; }
int cudaRuntimeGetVersion(int *version) { return *version = 13040, 0; }
int cudaGetDeviceProperties(Properties *properties, int device) {
  strcpy(properties->name, "listed");
  properties->major = 8, properties->minor = 9;
  return 0;
}

static int taken(void **memory, size_t size) { return (*memory = malloc(size)) ? 0 : 2; }
int cudaMalloc(void **memory, size_t size) { return taken(memory, size); }
int cudaMallocHost(void **memory, size_t size) { return taken(memory, size); }
int cudaHostAlloc(void **memory, size_t size, unsigned flags) { return taken(memory, size); }
int cudaMallocFromPoolAsync(void **memory, size_t size, void *pool, void *stream) { return taken(memory, size); }
int cudaMemPoolCreate(void **pool, const void *wanted) { return taken(pool, 8); }
int cudaStreamCreateWithFlags(void **stream, unsigned flags) { return taken(stream, 8); }
int cudaEventCreateWithFlags(void **event, unsigned flags) { return taken(event, 8); }
int cudaMemPoolGetAttribute(void *pool, int name, unsigned long long *value) { return *value = 0, 0; }
int cudaHostGetDevicePointer(void **device, void *host, unsigned flags) { return *device = host, 0; }
int cudaMemcpy(void *to, const void *from, size_t size, int kind) { return memcpy(to, from, size), 0; }
int cudaMemcpyAsync(void *to, const void *from, size_t size, int kind, void *stream) { return memcpy(to, from, size), 0; }
int cudaFree(void *memory) { return free(memory), 0; }
int cudaFreeHost(void *memory) { return free(memory), 0; }
int cudaFreeAsync(void *memory, void *stream) { return free(memory), 0; }
const char *cudaGetErrorName(int error) { return "listed"; }
const char *cudaGetErrorString(int error) { return "a GPU that is only listed"; }
const char *nvmlErrorString(int error) { return "a GPU that is only listed"; }
int nvmlSystemGetDriverVersion(char *version, unsigned size) { return strcpy(version, "595.10"), 0; }

#define DONE(name) int name(void) { return 0; }
DONE(cudaDeviceSynchronize) DONE(cudaEventDestroy) DONE(cudaEventRecord) DONE(cudaEventSynchronize)
DONE(cudaGetLastError) DONE(cudaGraphDestroy) DONE(cudaGraphExecDestroy) DONE(cudaGraphInstantiate)
DONE(cudaGraphLaunch) DONE(cudaMemPoolDestroy) DONE(cudaMemPoolSetAttribute) DONE(cudaMemPoolTrimTo)
DONE(cudaPointerGetAttributes) DONE(cudaSetDevice) DONE(cudaStreamBeginCapture)
DONE(cudaStreamDestroy) DONE(cudaStreamEndCapture) DONE(cudaStreamSynchronize)
DONE(cudaStreamWaitEvent)
DONE(cuCtxCreate_v4) DONE(cuCtxDestroy_v2) DONE(cuCtxGetCurrent) DONE(cuCtxPopCurrent_v2)
DONE(cuCtxPushCurrent_v2) DONE(cuCtxSetCurrent) DONE(cuDestroyExternalMemory)
DONE(cuDestroyExternalSemaphore) DONE(cuExternalMemoryGetMappedBuffer) DONE(cuGetErrorString)
DONE(cuImportExternalMemory) DONE(cuImportExternalSemaphore) DONE(cuInit)
DONE(cuSignalExternalSemaphoresAsync) DONE(cuStreamGetCtx) DONE(cuWaitExternalSemaphoresAsync)
DONE(nvmlInit_v2) DONE(nvmlShutdown)

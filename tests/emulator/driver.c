/* A CUDA driver without a card: the memory of two "devices" is the host's, and launches go to a callback.

   It has what Numba's CUDA target and cuda.core ask of a driver, and answers as a driver would: nothing is launched
   without a context, and addresses that it did not give are unknown to it. Its streams are in order: all is done at once.
   Built and used by plugin.py. */
#define _GNU_SOURCE
#include <dlfcn.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

enum { DEVICES = 2, SUCCESS = 0, INVALID_VALUE = 1, OUT_OF_MEMORY = 2, INVALID_DEVICE = 101, INVALID_CONTEXT = 201, NOT_FOUND = 500 };
typedef int result;
typedef uint64_t address;

static char contexts[DEVICES];
static __thread char *stack[64];
static __thread int depth;
static struct { address begin, size; int device; } live[4096];
static int lives;
static void (*on_launch)(const char *, int, address, unsigned, unsigned, void **);

void emulated_on_launch(void (*callback)(const char *, int, address, unsigned, unsigned, void **)) { on_launch = callback; }
static int current(void) { return depth ? (int)(stack[depth - 1] - contexts) : -1; }

/* devices and contexts */
result cuInit(unsigned flags) { return SUCCESS; }
result cuDriverGetVersion(int *version) { *version = 13000; return SUCCESS; }
result cuDeviceGetCount(int *count) { *count = DEVICES; return SUCCESS; }
result cuDeviceGet(int *device, int number) { *device = number; return number < DEVICES ? SUCCESS : INVALID_DEVICE; }
result cuDeviceGetName(char *name, int size, int device) { snprintf(name, size, "Emulated %d", device); return SUCCESS; }
result cuDeviceGetUuid_v2(char *uuid, int device) { memset(uuid, device + 1, 16); return SUCCESS; }
result cuDeviceGetAttribute(int *value, int attribute, int device) {
    enum { MULTIPROCESSORS = 16, UNIFIED_ADDRESSING = 41, MAJOR = 75, MINOR = 76 };
    *value = attribute == MAJOR ? 9 : attribute == MINOR ? 0 : attribute == UNIFIED_ADDRESSING ? 1
           : attribute == MULTIPROCESSORS ? 4 : 1024;
    return SUCCESS;
}
result cuDevicePrimaryCtxRetain(void **context, int device) { *context = &contexts[device]; return SUCCESS; }
result cuDevicePrimaryCtxRelease_v2(int device) { return SUCCESS; }
result cuDevicePrimaryCtxReset_v2(int device) { return SUCCESS; }
result cuCtxGetCurrent(void **context) { *context = depth ? stack[depth - 1] : NULL; return SUCCESS; }
result cuCtxSetCurrent(void *context) {
    depth = depth ? depth : 1;
    stack[depth - 1] = context;
    return SUCCESS;
}
result cuCtxPushCurrent_v2(void *context) {
    if (depth == sizeof stack / sizeof *stack) return INVALID_CONTEXT;
    stack[depth++] = context;
    return SUCCESS;
}
result cuCtxPopCurrent_v2(void **context) {
    if (!depth) return INVALID_CONTEXT;
    *context = stack[--depth];
    return SUCCESS;
}
result cuCtxGetDevice(int *device) { *device = current(); return depth ? SUCCESS : INVALID_CONTEXT; }
result cuCtxSynchronize(void) { return SUCCESS; }

/* memory */
static int owner(address place) {
    for (int i = 0; i < lives; i++)
        if (live[i].begin <= place && place < live[i].begin + live[i].size) return i;
    return -1;
}
int emulated_holds(address place, address size) {
    int i = owner(place);
    return i >= 0 && place + size <= live[i].begin + live[i].size;
}
result cuMemGetInfo_v2(size_t *unused, size_t *all) { *unused = *all = 1 << 30; return SUCCESS; }
result cuMemAlloc_v2(address *place, size_t size) {
    if (!depth) return INVALID_CONTEXT;
    if (lives == sizeof live / sizeof *live) return OUT_OF_MEMORY;
    *place = (address)aligned_alloc(256, (size + 255) / 256 * 256);
    memset((void *)*place, 0xAA, size);
    live[lives].begin = *place, live[lives].size = size, live[lives++].device = current();
    return SUCCESS;
}
result cuMemFree_v2(address place) {
    int i = owner(place);
    if (i < 0 || live[i].begin != place) return INVALID_VALUE;
    free((void *)place);
    live[i] = live[--lives];
    return SUCCESS;
}
result cuMemsetD8_v2(address to, unsigned char value, size_t size) { memset((void *)to, value, size); return SUCCESS; }
result cuMemsetD8Async(address to, unsigned char value, size_t size, void *stream) { return cuMemsetD8_v2(to, value, size); }
result cuMemcpyHtoD_v2(address to, const void *from, size_t size) { memcpy((void *)to, from, size); return SUCCESS; }
result cuMemcpyDtoH_v2(void *to, address from, size_t size) { memcpy(to, (void *)from, size); return SUCCESS; }
result cuMemcpyDtoD_v2(address to, address from, size_t size) { memcpy((void *)to, (void *)from, size); return SUCCESS; }
result cuMemcpyHtoDAsync_v2(address to, const void *from, size_t size, void *stream) { return cuMemcpyHtoD_v2(to, from, size); }
result cuMemcpyDtoHAsync_v2(void *to, address from, size_t size, void *stream) { return cuMemcpyDtoH_v2(to, from, size); }
result cuMemcpyDtoDAsync_v2(address to, address from, size_t size, void *stream) { return cuMemcpyDtoD_v2(to, from, size); }
result cuPointerGetAttribute(void *value, int attribute, address place) {
    enum { CONTEXT = 1, TYPE = 2, POINTER = 3, MANAGED = 8, ORDINAL = 9 };
    int i = owner(place);
    if (i < 0) return INVALID_VALUE;
    switch (attribute) {
    case CONTEXT: *(void **)value = &contexts[live[i].device]; return SUCCESS;
    case TYPE: *(unsigned *)value = 2; return SUCCESS;
    case POINTER: *(address *)value = place; return SUCCESS;
    case MANAGED: *(unsigned *)value = 0; return SUCCESS;
    case ORDINAL: *(int *)value = live[i].device; return SUCCESS;
    }
    return INVALID_VALUE;
}
result cuMemGetAddressRange_v2(address *begin, size_t *size, address place) {
    int i = owner(place);
    if (i < 0) return INVALID_VALUE;
    if (begin) *begin = live[i].begin;
    if (size) *size = live[i].size;
    return SUCCESS;
}

/* streams and events */
result cuStreamCreate(void **stream, unsigned flags) { *stream = malloc(1); return SUCCESS; }
result cuStreamDestroy_v2(void *stream) { free(stream); return SUCCESS; }
result cuStreamSynchronize(void *stream) { return SUCCESS; }
result cuEventCreate(void **event, unsigned flags) { *event = malloc(1); return SUCCESS; }
result cuEventDestroy_v2(void *event) { free(event); return SUCCESS; }
result cuEventRecord(void *event, void *stream) { return SUCCESS; }
result cuEventSynchronize(void *event) { return SUCCESS; }
result cuEventElapsedTime_v2(float *milliseconds, void *begin, void *end) {
    *milliseconds = (clock() % 1000000 + 1) / 1e3;
    return SUCCESS;
}

/* kernels: a handle is the name */
result cuLibraryLoadData(void **library, const void *code, void *a, void *b, unsigned n, void *c, void *d, unsigned m) {
    *library = malloc(1);
    return SUCCESS;
}
result cuLibraryUnload(void *library) { return SUCCESS; }
result cuLibraryGetKernel(void **kernel, void *library, const char *name) { *kernel = strdup(name); return SUCCESS; }
result cuKernelGetFunction(void **function, void *kernel) { *function = kernel; return SUCCESS; }
result cuKernelGetAttribute(int *value, int attribute, void *kernel, int device) { *value = 32; return SUCCESS; }
struct configuration { unsigned grid, grid_y, grid_z, block, block_y, block_z, shared; void *stream, *attributes; unsigned count; };
result cuLaunchKernelEx(const struct configuration *how, void *kernel, void **arguments, void **extra) {
    if (!depth) return INVALID_CONTEXT;
    on_launch(kernel, current(), (address)how->stream, how->grid, how->block, arguments);
    return SUCCESS;
}

/* what callers find these by */
result cuGetErrorName(result error, const char **text) { *text = "CUDA_ERROR"; return SUCCESS; }
result cuGetErrorString(result error, const char **text) { *text = "an error of the emulated driver"; return SUCCESS; }
result cuGetProcAddress_v2(const char *name, void **function, int version, uint64_t flags, int *status) {
    char newer[256];
    Dl_info self;
    dladdr((void *)cuInit, &self);
    void *library = dlopen(self.dli_fname, RTLD_NOW | RTLD_NOLOAD);
    snprintf(newer, sizeof newer, "%s_v2", name);
    *function = dlsym(library, newer);
    if (!*function) *function = dlsym(library, name);
    if (status) *status = *function ? 0 : 1;
    return *function ? SUCCESS : NOT_FOUND;
}

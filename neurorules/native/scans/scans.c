/* Scans over time of leaky and non-leaky integrate-and-fire layers.
 *
 * `scans_template.c` is included once a floating type. One task is cut into
 * blocks of neighbouring neurons; a thread carries one block through all the
 * steps with its state in the first-level cache, so that memory sees each input
 * read once and each output written once.
 */
#include <stdint.h>
#include <string.h>

#define BLOCK 256
#define MOST_STEPS 128 /* of a run whose membranes are computed again; also in native.py */
#define WORK_PER_THREAD 32768 /* neuron steps that repay waking a thread */
#define INLINE static inline __attribute__((always_inline))

enum { SUBTRACT = 0, ZERO = 1, NONE = 2 };                                    /* Reset */
enum { FLAT = -1, BOXCAR = 0, TRIANGLE = 1, FAST_SIGMOID = 2, ATAN = 3, POSITIVE = 4 }; /* PsiShape */
enum { SAME = 0, BYTE = 1, BFLOAT16 = 2 };                                    /* spikes' storage */
enum { POSITIVE_V = 1, GRADED = 2 };                                          /* Total */

enum { LEAKY = 0, ADAPTIVE = 1, SYNAPTIC = 2 };                               /* Kind */

#define BFLOAT16_ONE 0x3F80

#if defined(__AVX512F__)
#define VECTOR_BYTES 64
#define HELD 8 /* vectors of a sum that is held in registers */
#elif defined(__AVX__)
#define VECTOR_BYTES 32
#define HELD 8
#elif defined(__aarch64__)
#define VECTOR_BYTES 16
#define HELD 16
#else
#define VECTOR_BYTES 16
#define HELD 8
#endif

/* Field for field the ctypes structures of native.py. All sizes count elements; a
 * stride of 0 makes every step read the same plane. */
typedef struct {
    const void *shift, *mean, *gain, *bias; /* null, or one a neuron; mean and gain come together */
    int64_t shift_size, mean_size, gain_size, bias_size;
} Affine;

typedef struct {
    const void *current, *beta, *threshold, *u0;
    void *spikes, *v, *u, *spike_total, *total, *current_sum, *square_sum;
    int64_t current_stride, steps, size, beta_size, threshold_size;
    Affine affine;
    double slope;
    int32_t reset, delay, storage, summed, shape, threads;
} ScanTask;

/* A second low-pass, through which the factor of the current goes on. */
typedef struct {
    void *step, *total;                 /* every step of its values, and their sum over time; each may be null */
    double beta, slope, scale;          /* slope and scale: of the pseudo-derivative */
    int32_t psi, weighed, cut;          /* whether it weighs what enters, and whether the decay is beta (1 - psi) */
} Onwards;

typedef struct {
    const void *gradient, *beta, *threshold, *spikes, *v, *current;
    void *every_step, *every_total, *total, *product;
    int64_t gradient_stride, current_stride, steps, size, beta_size, threshold_size;
    Affine affine;                      /* of the normalised current, no bias */
    const void *mean_d, *mean_product;  /* one a neuron; null: no adjoint of the normalisation */
    int64_t statistics_size;
    double slope, scale, outer;
    int32_t zero, psi, storage, threads;
    const ScanTask *rerun;              /* gives the membranes where v is null; null where v or nothing does */
    const Onwards *onwards;             /* null for none */
} ReverseTask;

typedef struct {
    const void *current, *weights; /* weights: panels of columns, each (neurons, width); null for no loop */
    const void *beta, *threshold, *slow, *jump, *gain; /* slow, jump: rho and kappa, or alpha; gain: of the loop */
    void *spikes, *v, *u, *extra;               /* spikes: steps + 1 planes; u, extra: at first the state before */
    void *spike_total, *current_sum, *square_sum; /* zeros at first */
    void *panels, *lists, *counts;
    int64_t current_stride, steps, rows, neurons, beta_size, threshold_size, slow_size, jump_size, gain_size;
    Affine affine;
    int32_t kind, reset, delay, threads;
} LoopTask;

typedef struct {
    const void *post, *keep, *admit; /* admit: null for none of the current's */
    const void *alpha, *gain, *rise, *decay;
    const void *psi, *weights; /* weights: panels of rows by what they reach; null for none */
    void *membrane, *current;        /* R and Q of each step, each may be null */
    void *total, *state;             /* of the loop: factors on the spikes, and room for eight planes */
    int64_t post_stride, keep_stride, admit_stride, steps, rows, neurons;
    int64_t alpha_size, gain_size, rise_size, decay_size;
    int32_t threads;
} AdjointTask;

enum { ADD = 0, TAKE = 1, TIMES = 2, OVER = 3, LATER = 4, BACK = 5, SLOPE = 6 }; /* Operation */

#define MOST 32 /* inputs and operations of a program */

typedef struct {
    void *out;         /* every step of it, where it is asked for */
    double slope, scale;
    int32_t kind, a, b, shape; /* a, b: inputs, then operations, by their number */
} Operation;

typedef struct {
    const void *data;
    int64_t stride, length; /* length: one number, one a neuron, or a plane */
} Input;

typedef struct {
    const Input *input;
    const Operation *operation;
    int64_t steps, plane;
    int32_t inputs, operations, threads;
} Program;

static int team(int64_t size, int64_t steps, int32_t threads)
{
    int64_t useful = 1 + size * steps / WORK_PER_THREAD;
    return useful < threads ? (int)useful : threads;
}

/* A block's next step lies a whole plane away, out of the hardware prefetcher's sight: fetch it while this one runs. */
static void fetch(const void *at, int64_t bytes)
{
    for (int64_t i = 0; i < bytes; i += 64)
        __builtin_prefetch((const char *)at + i);
}

static void fetch_to_write(void *at, int64_t bytes)
{
    for (int64_t i = 0; i < bytes; i += 64)
        __builtin_prefetch((char *)at + i, 1);
}

#define REAL float
#define INTEGER int32_t
#define NAME(x) x##_float32
#include "scans_template.c"
#include "lanes_template.c"
#include "reverse_template.c"
#include "reverse_lanes_template.c"
#include "loop_template.c"
#include "adjoint_template.c"
#include "program_template.c"
#undef REAL
#undef INTEGER
#undef NAME

#define REAL double
#define INTEGER int64_t
#define NAME(x) x##_float64
#include "scans_template.c"
#include "lanes_template.c"
#include "reverse_template.c"
#include "reverse_lanes_template.c"
#include "loop_template.c"
#include "adjoint_template.c"
#include "program_template.c"

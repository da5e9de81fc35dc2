/* A key, a draw and a counter -> memory, as fast as plain C goes on this machine: what bounds a law, rung by rung.

   ladder.py compiles this, compares its bits with numbainit's, and times it. Each rung adds one step: a constant, words in
   one of two layouts, floats of them. Vectors are those of GCC and Clang. What these have no operator for (the product of
   even 32-bit lanes, fma, sqrt, selects) is named for AVX2 and AVX-512, and elsewhere left to a loop, which Clang makes
   vectors of and GCC does not. Compile with -ffp-contract=off: each rounding is written out, as in numbainit/maths.

   A count of values is a multiple of CHUNK, memory begins at a multiple of 64 bytes, and no counter reaches 2^32. */

#include <stddef.h>
#include <stdint.h>
#include <time.h>

#if defined(__x86_64__)
#include <immintrin.h>
#endif

#if defined(__AVX512F__) && defined(__AVX512DQ__) && defined(__AVX512BW__)
#define BYTES 64
#define ISA "avx512"
#elif defined(__AVX2__) && defined(__FMA__)
#define BYTES 32
#define ISA "avx2"
#elif defined(__ARM_NEON)
#define BYTES 16
#define ISA "neon"
#else
#define BYTES 16
#define ISA "baseline"
#endif

#define CHUNK 2048 /* values, whose words stay in L1 from their pass to that of floats */
#define INLINE static inline __attribute__((always_inline))
#define UNROLL _Pragma("GCC unroll 16")

typedef uint64_t U64 __attribute__((vector_size(BYTES)));
typedef uint32_t U32 __attribute__((vector_size(BYTES)));
typedef int64_t I64 __attribute__((vector_size(BYTES)));
typedef int32_t I32 __attribute__((vector_size(BYTES)));
typedef double F64 __attribute__((vector_size(BYTES)));
typedef float F32 __attribute__((vector_size(BYTES)));

enum { LANES32 = BYTES / 4, LANES64 = BYTES / 8, COUNTERS = BYTES / 16 };

typedef struct {
    uint32_t k0, k1, draw, first; /* the key, the draw, the first counter */
} Stream;

typedef struct {
    double low, width, smallest, largest; /* of the uniform law */
} Numbers;

/* ---- what has no operator: lanes a vector, by hand on x86 ---- */

#if defined(__clang__) || __GNUC__ >= 12
#define SHUFFLE(kind, a, b, ...) ((kind)__builtin_shufflevector((U32)(a), (U32)(b), __VA_ARGS__))
#else
#define SHUFFLE(kind, a, b, ...) ((kind)__builtin_shuffle((U32)(a), (U32)(b), (U32){__VA_ARGS__}))
#endif

/* the same shuffle in each 128 bits: p, q, r, s are words of a (0 to 3) or of b (4 to 7) */
#define AT(i, x) ((x) % 4 + 4 * (i) + (x) / 4 * LANES32)
#define OF(i, p, q, r, s) AT(i, p), AT(i, q), AT(i, r), AT(i, s)
#if BYTES == 64
#define IN128(kind, a, b, ...) \
    SHUFFLE(kind, a, b, OF(0, __VA_ARGS__), OF(1, __VA_ARGS__), OF(2, __VA_ARGS__), OF(3, __VA_ARGS__))
#elif BYTES == 32
#define IN128(kind, a, b, ...) SHUFFLE(kind, a, b, OF(0, __VA_ARGS__), OF(1, __VA_ARGS__))
#else
#define IN128(kind, a, b, ...) SHUFFLE(kind, a, b, OF(0, __VA_ARGS__))
#endif

/* lanes of a and b in turns: LANES64 words of each from the word f on, one or two at a time */
#define ONE(f) (f), LANES32 + (f)
#define TWO(f) (f), (f) + 1, LANES32 + (f), LANES32 + (f) + 1
#if BYTES == 64
#define ZIPPED32(kind, a, b, f) \
    SHUFFLE(kind, a, b, ONE(f), ONE(f + 1), ONE(f + 2), ONE(f + 3), ONE(f + 4), ONE(f + 5), ONE(f + 6), ONE(f + 7))
#define ZIPPED64(kind, a, b, f) SHUFFLE(kind, a, b, TWO(f), TWO(f + 2), TWO(f + 4), TWO(f + 6))
#elif BYTES == 32
#define ZIPPED32(kind, a, b, f) SHUFFLE(kind, a, b, ONE(f), ONE(f + 1), ONE(f + 2), ONE(f + 3))
#define ZIPPED64(kind, a, b, f) SHUFFLE(kind, a, b, TWO(f), TWO(f + 2))
#else
#define ZIPPED32(kind, a, b, f) SHUFFLE(kind, a, b, ONE(f), ONE(f + 1))
#define ZIPPED64(kind, a, b, f) SHUFFLE(kind, a, b, TWO(f))
#endif

#if BYTES == 64
#define MM(name) _mm512_##name
typedef __m512i I;
typedef __m512 S;
typedef __m512d D;
#elif BYTES == 32
#define MM(name) _mm256_##name
typedef __m256i I;
typedef __m256 S;
typedef __m256d D;
#endif

#if BYTES > 16
INLINE U64 product(U64 a, U64 b) { return (U64)MM(mul_epu32)((I)a, (I)b); }
INLINE F32 fma32(F32 a, F32 b, F32 c) { return (F32)MM(fmadd_ps)((S)a, (S)b, (S)c); }
INLINE F64 fma64(F64 a, F64 b, F64 c) { return (F64)MM(fmadd_pd)((D)a, (D)b, (D)c); }
INLINE F32 sqrt32(F32 a) { return (F32)MM(sqrt_ps)((S)a); }
INLINE F64 sqrt64(F64 a) { return (F64)MM(sqrt_pd)((D)a); }
INLINE F32 greater32(F32 a, F32 b) { return (F32)MM(max_ps)((S)a, (S)b); }
INLINE F32 smaller32(F32 a, F32 b) { return (F32)MM(min_ps)((S)a, (S)b); }
INLINE F64 greater64(F64 a, F64 b) { return (F64)MM(max_pd)((D)a, (D)b); }
INLINE F64 smaller64(F64 a, F64 b) { return (F64)MM(min_pd)((D)a, (D)b); }
#endif
#if BYTES == 64
#define ABOVE_0(kind, q) MM(cmp_##kind##_mask)(q, MM(setzero_##kind)(), _CMP_GT_OQ)
INLINE F32 positive32(F32 q, F32 yes, F32 no) { return (F32)MM(mask_mov_ps)((S)no, ABOVE_0(ps, (S)q), (S)yes); }
INLINE F64 positive64(F64 q, F64 yes, F64 no) { return (F64)MM(mask_mov_pd)((D)no, ABOVE_0(pd, (D)q), (D)yes); }
INLINE F32 negative32(U32 q, F32 yes, F32 no) { return (F32)MM(mask_mov_ps)((S)no, MM(movepi32_mask)((I)q), (S)yes); }
INLINE F64 negative64(U64 q, F64 yes, F64 no) { return (F64)MM(mask_mov_pd)((D)no, MM(movepi64_mask)((I)q), (D)yes); }
#elif BYTES == 32
#define ABOVE_0(kind, q) MM(cmp_##kind)(q, MM(setzero_##kind)(), _CMP_GT_OQ)
INLINE F32 positive32(F32 q, F32 yes, F32 no) { return (F32)MM(blendv_ps)((S)no, (S)yes, ABOVE_0(ps, (S)q)); }
INLINE F64 positive64(F64 q, F64 yes, F64 no) { return (F64)MM(blendv_pd)((D)no, (D)yes, ABOVE_0(pd, (D)q)); }
INLINE F32 negative32(U32 q, F32 yes, F32 no) { return (F32)MM(blendv_ps)((S)no, (S)yes, (S)q); }
INLINE F64 negative64(U64 q, F64 yes, F64 no) { return (F64)MM(blendv_pd)((D)no, (D)yes, (D)q); }
#else
#if defined(__x86_64__)
INLINE U64 product(U64 a, U64 b) { return (U64)_mm_mul_epu32((__m128i)a, (__m128i)b); }
#else
INLINE U64 product(U64 a, U64 b) { return (a & 0xFFFFFFFF) * b; } /* b has no upper halves; Clang finds umull */
#endif
#define EACH(kind, lanes, value) \
    kind result;                 \
    for (int i = 0; i < (lanes); i++) result[i] = (value); \
    return result
INLINE F32 fma32(F32 a, F32 b, F32 c) { EACH(F32, LANES32, __builtin_fmaf(a[i], b[i], c[i])); }
INLINE F64 fma64(F64 a, F64 b, F64 c) { EACH(F64, LANES64, __builtin_fma(a[i], b[i], c[i])); }
INLINE F32 sqrt32(F32 a) { EACH(F32, LANES32, __builtin_sqrtf(a[i])); }
INLINE F64 sqrt64(F64 a) { EACH(F64, LANES64, __builtin_sqrt(a[i])); }
INLINE F32 select32(I32 mask, F32 yes, F32 no) { return (F32)((mask & (I32)yes) | (~mask & (I32)no)); }
INLINE F64 select64(I64 mask, F64 yes, F64 no) { return (F64)((mask & (I64)yes) | (~mask & (I64)no)); }
INLINE F32 greater32(F32 a, F32 b) { return select32(a > b, a, b); }
INLINE F32 smaller32(F32 a, F32 b) { return select32(a < b, a, b); }
INLINE F64 greater64(F64 a, F64 b) { return select64(a > b, a, b); }
INLINE F64 smaller64(F64 a, F64 b) { return select64(a < b, a, b); }
INLINE F32 positive32(F32 q, F32 yes, F32 no) { return select32(q > (F32){0}, yes, no); }
INLINE F64 positive64(F64 q, F64 yes, F64 no) { return select64(q > (F64){0}, yes, no); }
INLINE F32 negative32(U32 q, F32 yes, F32 no) { return select32((I32)q < (I32){0}, yes, no); }
INLINE F64 negative64(U64 q, F64 yes, F64 no) { return select64((I64)q < (I64){0}, yes, no); }
#endif

INLINE U64 all64(uint64_t x) { return x - (U64){0}; }
INLINE F32 all32f(float x) { return x - (F32){0}; }
INLINE F64 all64f(double x) { return x - (F64){0}; }

/* ---- words of Philox4x32-10 ---- */

#define M0 0xD2511F53u
#define M1 0xCD9E8D57u
#define W0 0x9E3779B9u
#define W1 0xBB67AE85u

enum Layout { NONE, APART, TOGETHER };

typedef struct {
    U64 counter, step; /* the next one, and how far it is to that of the next chain */
    U64 keys[10], others[10];
} Source;

/* Layout 1, words "apart": c0 to c3 in a register each, a counter a 64-bit lane, whose upper half is garbage. A round
   takes two products, two shifts and four xors (two vpternlog) for four words a lane. A chain makes two registers of
   words. The counters lie in such an order that these need no exchange across 128 bits in the end. */

INLINE Source apart(Stream s) {
    Source it = {.step = all64(LANES64)};
    for (int i = 0; i < LANES64; i++) it.counter[i] = s.first + i / 2 + i % 2 * COUNTERS;
    for (int r = 0; r < 10; r++) {
        it.keys[r] = all64((uint32_t)(s.k0 + W0 * r));
        it.others[r] = all64((uint32_t)(s.k1 + W1 * r));
    }
    return it;
}

INLINE void words_apart(U32 *words, Source *it, Stream s, uint32_t purpose, int chains) {
    U64 c0[4], c1[4], c2[4], c3[4];
    UNROLL for (int i = 0; i < chains; i++) {
        c0[i] = it->counter, c1[i] = all64(0), c2[i] = all64(s.draw), c3[i] = all64(purpose);
        it->counter += it->step;
    }
    UNROLL for (int r = 0; r < 9; r++) {
        UNROLL for (int i = 0; i < chains; i++) {
            U64 p0 = product(c0[i], all64(M0)), p1 = product(c2[i], all64(M1));
            c0[i] = (p1 >> 32) ^ c1[i] ^ it->keys[r], c1[i] = p1;
            c2[i] = (p0 >> 32) ^ c3[i] ^ it->others[r], c3[i] = p0;
        }
    }
    UNROLL for (int i = 0; i < chains; i++) {
        U64 p0 = product(c0[i], all64(M0)), p1 = product(c2[i], all64(M1));
        U64 low = IN128(U64, p1, p1, 1, 0, 3, 2) ^ ((c1[i] ^ it->keys[9]) & 0xFFFFFFFF);
        U64 high = IN128(U64, p0, p0, 1, 0, 3, 2) ^ ((c3[i] ^ it->others[9]) & 0xFFFFFFFF);
        words[2 * i] = IN128(U32, low, high, 0, 1, 4, 5);
        words[2 * i + 1] = IN128(U32, low, high, 2, 3, 6, 7);
    }
}

/* Layout 2, words "together", that of the library MCKL: a counter is two lanes, (c3 << 32 | c0, c1 << 32 | c2), so that
   one product makes both of a round. Then even words come of the product and odd ones of product ^ counter ^ key, in
   another order: five instructions a register, three where vpternlog and vpermt2d are. Without vpermt2d the even words
   are made right first: a shuffle of one register, and a shorter way from product to product. The last round reverses
   the four words, and they lie in their natural order. A chain makes one register of words. */

INLINE Source together(Stream s, uint32_t purpose) {
    Source it = {.step = all64(0)};
    for (int i = 0; i < LANES64; i++) {
        it.counter[i] = i % 2 ? s.draw : (uint64_t)purpose << 32 | (s.first + i / 2);
        it.step[i] = i % 2 ? 0 : COUNTERS;
        for (int r = 0; r < 10; r++)
            it.keys[r][i] = (uint64_t)(i % 2 ? (uint32_t)(s.k0 + W0 * r) : (uint32_t)(s.k1 + W1 * r)) << 32;
    }
    return it;
}

#if BYTES == 64
#define ROUND(kind, x, key, p, q, r, s)                                           \
    ({                                                                            \
        U64 even = product(x, multipliers), odd = even ^ (x) ^ (key);             \
        IN128(kind, even, odd, p + p % 2 * 4, q + q % 2 * 4, r + r % 2 * 4, s + s % 2 * 4); \
    })
#else
#define ROUND(kind, x, key, p, q, r, s)                                            \
    ({                                                                             \
        U64 both = product(x, multipliers) ^ (((x) ^ (key)) & 0xFFFFFFFF00000000); \
        IN128(kind, both, both, p, q, r, s);                                       \
    })
#endif

INLINE void words_together(U32 *words, Source *it, int chains) {
    U64 c[8], multipliers;
    for (int i = 0; i < LANES64; i++) multipliers[i] = i % 2 ? M1 : M0;
    UNROLL for (int i = 0; i < chains; i++) c[i] = it->counter, it->counter += it->step;
    UNROLL for (int r = 0; r < 9; r++) {
        UNROLL for (int i = 0; i < chains; i++) c[i] = ROUND(U64, c[i], it->keys[r], 3, 0, 1, 2);
    }
    UNROLL for (int i = 0; i < chains; i++) words[i] = ROUND(U32, c[i], it->keys[9], 3, 2, 1, 0);
}

/* either; a turn makes ``registers`` of words, of half as many chains where words are apart */

INLINE Source source(Stream s, uint32_t purpose, enum Layout layout) {
    return layout == APART ? apart(s) : together(s, purpose);
}

INLINE void next(U32 *words, Source *it, Stream s, uint32_t purpose, enum Layout layout, int registers) {
    if (layout == APART)
        words_apart(words, it, s, purpose, registers / 2);
    else
        words_together(words, it, registers);
}

/* ---- words to floats, as in numbainit/maths/laws.py and elementary.py ---- */

INLINE F32 uniform32(U32 word, Numbers to) {
    F32 u = __builtin_convertvector((I32)(word >> 8), F32) * 0x1p-24f;
    F32 x = fma32(u, all32f((float)to.width), all32f((float)to.low));
    return smaller32(greater32(x, all32f((float)to.smallest)), all32f((float)to.largest));
}

/* 64 bits become a float by exponents, exactly: a word below the bits of 2^20 has the unit 2^-32, below those of 2^-12
   the unit 2^-64, and one subtraction takes both powers off. */
#define TO_20 0x4130000000000000
#define TO_MINUS_12 0x3F30000000000000

INLINE F64 uniform64(U64 high, U64 low, Numbers to) {
    F64 u = ((F64)high - (0x1p20 + 0x1p-12)) + (F64)low;
    F64 x = fma64(u, all64f(to.width), all64f(to.low));
    return smaller64(greater64(x, all64f(to.smallest)), all64f(to.largest));
}

#define LAST(c) (int)(sizeof(c) / sizeof(*c) - 1)
#define POLYNOMIAL(fma, x, c)                                                                        \
    ({                                                                                               \
        __typeof__(x) result = c[LAST(c)] - (__typeof__(x)){0};                                      \
        UNROLL for (int k = LAST(c) - 1; k >= 0; k--) result = fma(result, x, c[k] - (__typeof__(x)){0}); \
        result;                                                                                      \
    })

static const float LOG32[] = {0x1p1f,         0x1.00002p0f,    0x1.554238p-1f, 0x1.01f70ep-1f,  0x1.67415ep-2f,
                              0x1.5ea91ap-1f, -0x1.330302p0f, 0x1.fc0326p1f,  -0x1.3eb5eep2f, 0x1.bfc51cp1f};
static const float SIN32[] = {0x1.921fb6p0f, -0x1.4abbecp-1f, 0x1.466b2p-4f, -0x1.2f5992p-8f};
static const float COS32[] = {0x1p0f, -0x1.3bd3ccp0f, 0x1.03c1b8p-2f, -0x1.55b7cep-6f, 0x1.d684aap-11f};
static const double LOG64[] = {
    0x1p1, 0x1.fffffffffff74p-1, 0x1.555555556131ep-1, 0x1.fffffff49c115p-2, 0x1.99999c66166ep-2,
    0x1.5554eb3f63e26p-2, 0x1.249cabd575affp-2, 0x1.fe92e308298e3p-3, 0x1.d968df4460f28p-3,
    0x1.d2e4d2e954d9dp-4, 0x1.a14a58414f6b9p-1, -0x1.b8b016d21d4fap1, 0x1.032b7865c37f2p4,
    -0x1.bc8e0838f6d31p5, 0x1.2d754c3c9f20cp7, -0x1.39a38630be296p8, 0x1.eebd0d8760505p8,
    -0x1.1dafde7c42859p9, 0x1.c9e0de4710eabp8, -0x1.c83b66aec2811p7, 0x1.afa9feccf3e1dp5};
static const double SIN64[] = {0x1.921fb54442d18p0,   -0x1.4abbce625be09p-1,  0x1.466bc67754fffp-4,
                               -0x1.32d2ccdfe9424p-8, 0x1.50782d5f14825p-13,  -0x1.e2fe76fdffd29p-19,
                               0x1.e357ef99eaea7p-25};
static const double COS64[] = {0x1p0,                 -0x1.3bd3cc9be45dep0,   0x1.03c1f081b5a67p-2,
                               -0x1.55d3c7e3c325bp-6, 0x1.e1f5067b90b37p-11,  -0x1.a6d1e7294bff9p-16,
                               0x1.f9c89ca1d4f4ap-22, -0x1.b167302e2337bp-28};

/* two registers of words, even ones for radii and odd ones for angles -> as many normals, in their places */
INLINE void normal32(U32 *a, U32 *b, Numbers to) {
    U32 even = IN128(U32, *a, *b, 0, 2, 4, 6), odd = IN128(U32, *a, *b, 1, 3, 5, 7);

    F32 q = __builtin_convertvector((I32)(even + 1), F32); /* scaled by 2^32: the exponent knows */
    I32 bits = (I32)q;
    F32 half_to_one = (F32)((bits & 0x007FFFFF) | 0x3F000000);
    F32 e = positive32(q, __builtin_convertvector(158 - (bits >> 23), F32), (F32){0});
    F32 g = positive32(q, 1 - half_to_one, q * -0x1p-32f);
    F32 r = sqrt32(fma32(e, all32f(0x1.62e43p0f), g * POLYNOMIAL(fma32, g, LOG32)));

    F32 y = __builtin_convertvector((I32)(odd << 2), F32) * 0x1p-32f, square = y * y;
    F32 sin = y * POLYNOMIAL(fma32, square, SIN32), cos = POLYNOMIAL(fma32, square, COS32);
    U32 quarters = odd + (1u << 29), turned = quarters << 1;
    F32 s = r * (F32)((U32)negative32(turned, cos, sin) ^ (quarters & (1u << 31)));
    F32 c = r * (F32)((U32)negative32(turned, sin, cos) ^ ((quarters ^ turned) & (1u << 31)));

    F32 width = all32f((float)to.width), low = all32f((float)to.low);
    *a = (U32)fma32(IN128(F32, c, s, 0, 4, 1, 5), width, low);
    *b = (U32)fma32(IN128(F32, c, s, 2, 6, 3, 7), width, low);
}

/* a register of high words and one of low words, pairs of which are lanes -> two registers of normals */
INLINE void normal64(F64 *a, F64 *b, U64 high, U64 low, Numbers to) {
    U64 top = (high & 0xFFFFFFFF) ^ (TO_20 + (1ull << 31)), rest = (low & 0xFFFFF800) + (TO_MINUS_12 + 0x800);
    F64 q = ((F64)top - (0x1p20 + 0.5 + 0x1p-12)) + (F64)rest;
    U64 bits = (U64)q;
    F64 half_to_one = (F64)((bits & 0x000FFFFFFFFFFFFF) | 0x3FE0000000000000);
    F64 e = positive64(q, (0x1p52 + 1022) - (F64)((bits >> 52) | 0x4330000000000000), (F64){0});
    F64 g = positive64(q, 1 - half_to_one, -q);
    F64 r = sqrt64(fma64(e, all64f(0x1.62e42fefa39efp0), g * POLYNOMIAL(fma64, g, LOG64)));

    U64 angle = ((high >> 32 << 32) | (low >> 32)) << 2;
    top = (angle >> 32) ^ (TO_20 + (1ull << 31)), rest = (angle & 0xFFFFF800) | TO_MINUS_12;
    F64 y = ((F64)top - (0x1p20 + 0.5 + 0x1p-12)) + (F64)rest, square = y * y;
    F64 sin = y * POLYNOMIAL(fma64, square, SIN64), cos = POLYNOMIAL(fma64, square, COS64);
    U64 quarters = high + (1ull << 61), turned = quarters << 1;
    F64 s = r * (F64)((U64)negative64(turned, cos, sin) ^ (quarters & (1ull << 63)));
    F64 c = r * (F64)((U64)negative64(turned, sin, cos) ^ ((quarters ^ turned) & (1ull << 63)));

    F64 width = all64f(to.width), base = all64f(to.low);
    *a = fma64(ZIPPED64(F64, c, s, 0), width, base);
    *b = fma64(ZIPPED64(F64, c, s, LANES64), width, base);
}

/* ---- rungs: n values from the counter s.first on ---- */

typedef void Run(void *out, size_t n, Stream s, Numbers to);

INLINE void fill(void *out, size_t n, Stream s, Numbers to, enum Layout layout, int registers) {
    F32 *at = out, value = all32f((float)to.low);
    for (size_t i = 0; i < n / LANES32; i += registers)
        UNROLL for (int k = 0; k < registers; k++) at[i + k] = value;
}

INLINE void words(void *out, size_t n, Stream s, Numbers to, enum Layout layout, int registers) {
    Source it = source(s, 0, layout);
    U32 *at = out;
    for (size_t i = 0; i < n / LANES32; i += registers) next(at + i, &it, s, 0, layout, registers);
}

INLINE void uniforms32(void *out, size_t n, Stream s, Numbers to, enum Layout layout, int registers) {
    Source it = source(s, 0, layout);
    U32 made[8];
    F32 *at = out;
    for (size_t i = 0; i < n / LANES32; i += registers) {
        next(made, &it, s, 0, layout, registers);
        UNROLL for (int k = 0; k < registers; k++) at[i + k] = uniform32(made[k], to);
    }
}

/* high words have purpose 0, low words purpose 1 */
INLINE void uniforms64(void *out, size_t n, Stream s, Numbers to, enum Layout layout, int registers) {
    Source it = source(s, 0, layout), other = source(s, 1, layout);
    const U32 above = (U32)all64(TO_20 | TO_20 >> 32), below = (U32)all64(TO_MINUS_12 | TO_MINUS_12 >> 32);
    U32 high[8], low[8];
    F64 *at = out;
    for (size_t i = 0; i < n / LANES64; i += 2 * registers) {
        next(high, &it, s, 0, layout, registers);
        next(low, &other, s, 1, layout, registers);
        UNROLL for (int k = 0; k < registers; k++) {
            U32 cut = low[k] & ~0x7FFu;
            F64 *two = at + i + 2 * k;
            two[0] = uniform64(ZIPPED32(U64, high[k], above, 0), ZIPPED32(U64, cut, below, 0), to);
            two[1] = uniform64(ZIPPED32(U64, high[k], above, LANES64), ZIPPED32(U64, cut, below, LANES64), to);
        }
    }
}

INLINE void normals32(void *out, size_t n, Stream s, Numbers to, enum Layout layout, int registers) {
    Source it = source(s, 0, layout);
    U32 made[8], *at = out;
    for (size_t i = 0; i < n / LANES32; i += registers) {
        next(made, &it, s, 0, layout, registers);
        UNROLL for (int k = 0; k < registers; k += 2) normal32(&made[k], &made[k + 1], to);
        UNROLL for (int k = 0; k < registers; k++) at[i + k] = made[k];
    }
}

/* all words of a chunk first, then their floats in place: fewer registers at a time */
INLINE void normals32_twice(void *out, size_t n, Stream s, Numbers to, enum Layout layout, int registers) {
    for (size_t begin = 0; begin < n; begin += CHUNK, s.first += CHUNK / 4) {
        U32 *at = (U32 *)((uint32_t *)out + begin);
        words(at, CHUNK, s, to, layout, registers);
        for (int i = 0; i < CHUNK / LANES32; i += 4) {
            normal32(&at[i], &at[i + 1], to);
            normal32(&at[i + 2], &at[i + 3], to);
        }
    }
}

/* the high words of a chunk and then the low ones, into memory of their own */
INLINE void normals64_twice(void *out, size_t n, Stream s, Numbers to, enum Layout layout, int registers) {
    U32 high[CHUNK / LANES32], low[CHUNK / LANES32];
    for (size_t begin = 0; begin < n; begin += CHUNK, s.first += CHUNK / 4) {
        F64 *at = (F64 *)((double *)out + begin);
        Source it = source(s, 0, layout), other = source(s, 1, layout);
        for (int i = 0; i < CHUNK / LANES32; i += registers) next(high + i, &it, s, 0, layout, registers);
        for (int i = 0; i < CHUNK / LANES32; i += registers) next(low + i, &other, s, 1, layout, registers);
        for (int i = 0; i < CHUNK / LANES32; i += 2) {
            normal64(&at[2 * i], &at[2 * i + 1], (U64)high[i], (U64)low[i], to);
            normal64(&at[2 * i + 2], &at[2 * i + 3], (U64)high[i + 1], (U64)low[i + 1], to);
        }
    }
}

#define LADDER(RUNG) \
    RUNG(fill_1, "fill", "float32", "stores", fill, NONE, 4) \
    RUNG(apart_1, "words", "uint32", "apart, 1 chain", words, APART, 2) \
    RUNG(apart_2, "words", "uint32", "apart, 2 chains", words, APART, 4) \
    RUNG(apart_4, "words", "uint32", "apart, 4 chains", words, APART, 8) \
    RUNG(together_1, "words", "uint32", "together, 1 chain", words, TOGETHER, 1) \
    RUNG(together_2, "words", "uint32", "together, 2 chains", words, TOGETHER, 2) \
    RUNG(together_4, "words", "uint32", "together, 4 chains", words, TOGETHER, 4) \
    RUNG(together_8, "words", "uint32", "together, 8 chains", words, TOGETHER, 8) \
    RUNG(u32_apart_2, "uniform", "float32", "apart, 2 chains", uniforms32, APART, 4) \
    RUNG(u32_apart_4, "uniform", "float32", "apart, 4 chains", uniforms32, APART, 8) \
    RUNG(u32_together_4, "uniform", "float32", "together, 4 chains", uniforms32, TOGETHER, 4) \
    RUNG(u32_together_8, "uniform", "float32", "together, 8 chains", uniforms32, TOGETHER, 8) \
    RUNG(u64_apart_2, "uniform", "float64", "apart, 2 chains", uniforms64, APART, 4) \
    RUNG(u64_apart_4, "uniform", "float64", "apart, 4 chains", uniforms64, APART, 8) \
    RUNG(u64_together_4, "uniform", "float64", "together, 4 chains", uniforms64, TOGETHER, 4) \
    RUNG(u64_together_8, "uniform", "float64", "together, 8 chains", uniforms64, TOGETHER, 8) \
    RUNG(n32_apart_2, "normal", "float32", "apart, one pass", normals32, APART, 4) \
    RUNG(n32_together_8, "normal", "float32", "together, one pass", normals32, TOGETHER, 8) \
    RUNG(n32_apart, "normal", "float32", "apart, two passes", normals32_twice, APART, 8) \
    RUNG(n32_together, "normal", "float32", "together, two passes", normals32_twice, TOGETHER, 8) \
    RUNG(n64_apart, "normal", "float64", "apart, two passes", normals64_twice, APART, 8) \
    RUNG(n64_together, "normal", "float64", "together, two passes", normals64_twice, TOGETHER, 8)

/* vector instructions a word in a round */
#define ROUND_NONE 0
#define ROUND_APART ((BYTES == 64 ? 6. : 8.) / (4 * LANES64))
#define ROUND_TOGETHER ((BYTES == 64 ? 3. : 5.) / LANES32)

typedef struct {
    const char *law, *dtype, *how;
    double instructions;
    Run *run;
} Rung;

#define FUNCTION(name, law, dtype, how, function, layout, registers) \
    static void name(void *out, size_t n, Stream s, Numbers to) { function(out, n, s, to, layout, registers); }
#define ROW(name, law, dtype, how, function, layout, registers) {law, dtype, how, ROUND_##layout, name},

LADDER(FUNCTION)
static const Rung RUNGS[] = {LADDER(ROW)};

/* ---- what ladder.py calls ---- */

const char *isa(void) { return ISA; }
int rungs(void) { return sizeof(RUNGS) / sizeof(*RUNGS); }
const char *law_of(int rung) { return RUNGS[rung].law; }
const char *dtype_of(int rung) { return RUNGS[rung].dtype; }
const char *how_of(int rung) { return RUNGS[rung].how; }
double instructions_of(int rung) { return RUNGS[rung].instructions; }

static double now(void) {
    struct timespec time;
    clock_gettime(CLOCK_MONOTONIC, &time);
    return time.tv_sec + 1e-9 * time.tv_nsec;
}

/* Run a rung some times over the same memory; the seconds of all. */
double run(int rung, void *out, size_t n, Stream s, Numbers to, int times) {
    double start = now();
    for (int i = 0; i < times; i++) {
        RUNGS[rung].run(out, n, s, to);
        __asm__ volatile("" ::: "memory");
    }
    return now() - start;
}

/* The seconds of 16 times as many additions, each of which waits for the one before: a cycle each. */
double additions(uint64_t count) {
    uint64_t x = count, y = count;
    __asm__ volatile("" : "+r"(y)); /* an addend in a register: newer processors add constants for nothing */
    double start = now();
    for (uint64_t i = 0; i < count; i++) {
        UNROLL for (int k = 0; k < 16; k++) {
            x += y;
            __asm__ volatile("" : "+r"(x));
        }
    }
    return now() - start;
}

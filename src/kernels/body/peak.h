/* Peak multiply-adds of a core: nothing but independent chains in registers, as many as a micro-kernel has accumulators. */

#define FM_PEAK_CHAINS (FM_MR * FM_NR_PANELS * FM_VECTORS)
#if FM_PEAK_CHAINS * V_LANES > FM_PEAK_MAX
#error "FM_PEAK_MAX is too small for the tile of this ISA"
#endif

void FM_FUNCTION(peak)(const fm_peak *k) {
    const vf factor = v_set1(k->factor), term = v_set1(k->term);
    vf chains[FM_PEAK_CHAINS];
    /* Distinct starting values, or the compiler would merge the chains. */
#pragma GCC unroll 32
    for (int i = 0; i < FM_PEAK_CHAINS; i++)
        chains[i] = v_set1((float)i);
    for (ptrdiff_t n = 0; n < k->iterations; n++)
#pragma GCC unroll 32
        for (int i = 0; i < FM_PEAK_CHAINS; i++)
            chains[i] = v_fma(chains[i], factor, term);
#pragma GCC unroll 32
    for (int i = 0; i < FM_PEAK_CHAINS; i++)
        v_store(k->out + i * V_LANES, chains[i]);
    *k->count = k->iterations * FM_PEAK_CHAINS * V_LANES;
}

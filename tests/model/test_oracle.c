/*
 * test_oracle.c - random scripts, the same at each run, on rings of every geometry.
 */
#include "pattern.h"
#include "scenario.h"
#include "script.h"

#define SCRIPT_SIZE 1500u

/* The engine is the same everywhere; under Wine an open takes ten times as long. */
#ifdef _WIN32
#define SEEDS_MOST 1u
#else
#define SEEDS_MOST UINT64_MAX
#endif

static void run_scripts(uint8_t geometry, uint64_t seed)
{
    uint8_t                  script[SCRIPT_SIZE];
    uint64_t                 random = seed << 8 | geometry;
    struct gyre_ring_options options = script_options(geometry, (uint8_t)pattern_random(&random));
    const char              *difference;

    for (uint32_t i = 0; i < SCRIPT_SIZE; i++)
        script[i] = (uint8_t)pattern_random(&random);
    difference = script_run(&options, script, sizeof(script));
    SCENARIO_ASSERT(difference == NULL, "geometry %u, seed %llu: %s", geometry,
                    (unsigned long long)seed, difference);
}

static void run_group(uint32_t which, uint64_t seed_count)
{
    for (uint64_t seed = 1; seed <= seed_count && seed <= SEEDS_MOST; seed++)
        for (uint32_t geometry = which * 20; geometry < which * 20 + 20; geometry++)
            run_scripts((uint8_t)geometry, seed);
}

SCENARIO(oracle, agrees_on_rings_that_begin_at_0)
{
    run_group(0, 6);
}

SCENARIO(oracle, agrees_when_positions_cross_2_to_the_31_and_32)
{
    run_group(1, 4);
    run_group(5, 2);
}

SCENARIO(oracle, agrees_when_positions_cross_2_to_the_40)
{
    run_group(2, 4);
}

SCENARIO(oracle, agrees_when_positions_cross_2_to_the_63)
{
    run_group(3, 4);
}

SCENARIO(oracle, agrees_when_positions_wrap_at_2_to_the_64)
{
    run_group(4, 4);
}

/*
 * scenarios.h - the lists of scenarios.  A new file of them adds one line here and one in main.c.
 *
 * Each list ends with a scenario without a name.
 */
#ifndef GYRE_TESTS_WEAVE_SCENARIOS_H
#define GYRE_TESTS_WEAVE_SCENARIOS_H

#include "weave.h"

extern const struct weave_scenario scenarios_flow[];   /* E1 E2 E6 E7 E8 */
extern const struct weave_scenario scenarios_sleep[];  /* E3 E9 E12 E13 */
extern const struct weave_scenario scenarios_join[];   /* E4 E5 E10 */
extern const struct weave_scenario scenarios_death[];  /* E11, and deaths elsewhere */
extern const struct weave_scenario scenarios_group[];  /* E14 to E17 */
extern const struct weave_scenario scenarios_random[]; /* everything at once */

#endif

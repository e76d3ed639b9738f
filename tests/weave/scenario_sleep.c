#include "scenarios.h"
const struct weave_scenario scenarios_sleep[] = {{.name = NULL}};

#include "scenarios.h"
const struct weave_scenario scenarios_random[] = {{.name = NULL}};

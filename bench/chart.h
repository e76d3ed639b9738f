/*
 * chart.h - one SVG picture of several panels: lines over sizes or consumers, or bars; all axes
 * log.
 *
 * It knows no figures but those it is given, and needs no library.
 */
#ifndef GYRE_BENCH_CHART_H
#define GYRE_BENCH_CHART_H

enum chart_kind {
    CHART_LINES, /* x and y */
    CHART_BARS   /* y only, drawn from left to right; `high` is a whisker */
};

struct chart;

struct chart *chart_make(const char *title);
void          chart_free(struct chart *chart);

/* Points go to the panel begun last.  Panels and series beyond what fits are left out. */
void chart_panel(struct chart *chart, enum chart_kind kind, const char *title, const char *x_label,
                 const char *y_label);

/* A system keeps its colour in all panels.  What is not above zero is left out. */
void chart_point(struct chart *chart, const char *system, double x, double y, double high);

/* 0, or -1 with errno.  Without any point no file is made: 1. */
int chart_write(const struct chart *chart, const char *path);

#endif

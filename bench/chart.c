/*
 * chart.c - the SVG writer behind chart.h.
 *
 * Coordinates are pixels from the top left; a panel's plot is what its axes enclose.
 */
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "chart.h"

#define PANELS_MAX 16
#define SYSTEMS_MAX 40
#define POINTS_MAX 256
#define COLUMNS 2
#define PANEL_WIDTH 700.0
#define PANEL_HEIGHT 420.0
#define HEAD_HEIGHT 44.0
#define PLOT_LEFT 64.0
#define LEGEND_STEP 17.0
#define BARS_LEFT 166.0
#define PLOT_RIGHT (PANEL_WIDTH - 202.0)
#define BARS_RIGHT (PANEL_WIDTH - 30.0)
#define PLOT_TOP 40.0
#define PLOT_BOTTOM (PANEL_HEIGHT - 52.0)

struct chart_spot {
    int    system;
    double x;
    double y;
    double high;
};

struct panel {
    enum chart_kind   kind;
    const char       *title;
    const char       *x_label;
    const char       *y_label;
    struct chart_spot spots[POINTS_MAX];
    int               spot_count;
};

struct chart {
    char         title[200];
    const char  *systems[SYSTEMS_MAX];
    int          system_count;
    struct panel panels[PANELS_MAX];
    int          panel_count;
};

/* An axis: values from low to high, both whole decades or powers of two, at pixels from and to. */
struct axis {
    double low;
    double high;
    double from;
    double to;
};

struct chart *chart_make(const char *title)
{
    struct chart *chart = calloc(1, sizeof(*chart));
    if (chart != NULL)
        (void)snprintf(chart->title, sizeof(chart->title), "%s", title);
    return chart;
}

void chart_free(struct chart *chart)
{
    free(chart);
}

void chart_panel(struct chart *chart, enum chart_kind kind, const char *title, const char *x_label,
                 const char *y_label)
{
    struct panel *panel;
    if (chart == NULL || chart->panel_count == PANELS_MAX)
        return;
    panel = &chart->panels[chart->panel_count++];
    panel->kind = kind;
    panel->title = title;
    panel->x_label = x_label;
    panel->y_label = y_label;
}

static int system_idx(struct chart *chart, const char *system)
{
    int idx = 0;
    while (idx < chart->system_count && strcmp(chart->systems[idx], system) != 0)
        idx++;
    if (idx == chart->system_count && idx < SYSTEMS_MAX)
        chart->systems[chart->system_count++] = system;
    return idx;
}

void chart_point(struct chart *chart, const char *system, double x, double y, double high)
{
    struct panel *panel;
    int           idx;

    if (chart == NULL || chart->panel_count == 0 || !(y > 0))
        return;
    panel = &chart->panels[chart->panel_count - 1];
    idx = system_idx(chart, system);
    if (idx < SYSTEMS_MAX && panel->spot_count < POINTS_MAX)
        panel->spots[panel->spot_count++] = (struct chart_spot){idx, x, y, high};
}

static int is_gyre(const char *system)
{
    return strncmp(system, "gyre", 4) == 0;
}

static int is_limit(const char *system)
{
    return strncmp(system, "limit", 5) == 0;
}

/* Gyre in reds, limits in grey, the others in order of appearance. */
static const char *colour_of(const struct chart *chart, int system)
{
    static const char *const reds[] = {"#d62728", "#f08080", "#7f0000", "#ff5ca8", "#b8860b"};
    static const char *const palette[] = {"#1f77b4", "#2ca02c", "#ff7f0e", "#9467bd", "#8c564b",
                                          "#17becf", "#bcbd22", "#000000", "#98df8a", "#aec7e8",
                                          "#c49c94", "#1b5e20", "#ffbb78", "#5c6bc0"};
    const int                palette_size = (int)(sizeof(palette) / sizeof(palette[0]));
    const char              *name = chart->systems[system];
    int                      before_count = 0;

    if (is_limit(name))
        return "#777777";
    for (int i = 0; i < system; i++)
        before_count += is_gyre(chart->systems[i]) == is_gyre(name) && !is_limit(chart->systems[i]);
    return is_gyre(name) ? reds[before_count % 5] : palette[before_count % palette_size];
}

static double place(const struct axis *axis, double value)
{
    return axis->from +
           (axis->to - axis->from) * log(value / axis->low) / log(axis->high / axis->low);
}

/* 1500000 as 1.5M, 0.02 as it is. */
static const char *number(char text[32], double value)
{
    static const char suffix[] = {'\0', 'k', 'M', 'G'};
    int               thousands = 0;
    while (value >= 1000 && thousands < 3) {
        value /= 1000;
        thousands++;
    }
    (void)snprintf(text, 32, "%.3g%c", value, suffix[thousands]);
    return text;
}

static void draw_text(FILE *file, double x, double y, const char *style, const char *text)
{
    (void)fprintf(file, "<text x='%.1f' y='%.1f' %s>%s</text>\n", x, y, style, text);
}

static void draw_line(FILE *file, double x1, double y1, double x2, double y2, const char *style)
{
    (void)fprintf(file, "<line x1='%.1f' y1='%.1f' x2='%.1f' y2='%.1f' %s/>\n", x1, y1, x2, y2,
                  style);
}

/* The y values' axis, in whole decades; whiskers count. */
static struct axis value_axis(const struct panel *panel, double from, double to)
{
    struct axis axis = {HUGE_VAL, 0, from, to};
    for (int i = 0; i < panel->spot_count; i++) {
        const struct chart_spot *spot = &panel->spots[i];
        axis.low = fmin(axis.low, spot->y);
        axis.high = fmax(axis.high, fmax(spot->y, panel->kind == CHART_BARS ? spot->high : 0));
    }
    axis.low = pow(10, floor(log10(axis.low * 0.999)));
    axis.high = pow(10, ceil(log10(axis.high * 1.001)));
    return axis;
}

/* The grid of a value axis: a label each decade, thin lines between. */
static void draw_values(FILE *file, const struct axis *axis, int is_upright, double from, double to)
{
    char label[32];

    for (double decade = axis->low; decade < axis->high * 1.01; decade *= 10) {
        for (int step = 1; step < 10; step++) {
            double      value = decade * step;
            double      at = place(axis, value);
            const char *style = step == 1 ? "stroke='#bbbbbb'" : "stroke='#eeeeee'";
            if (value > axis->high * 1.01)
                break;
            if (is_upright)
                draw_line(file, from, at, to, at, style);
            else
                draw_line(file, at, from, at, to, style);
        }
        (void)number(label, decade);
        if (is_upright)
            draw_text(file, from - 6, place(axis, decade) + 4, "text-anchor='end'", label);
        else
            draw_text(file, place(axis, decade), to + 16, "text-anchor='middle'", label);
    }
}

static void draw_labels(FILE *file, const struct panel *panel, double left, double right)
{
    double middle = (left + right) / 2;
    char   turned[80];

    draw_text(file, left, PLOT_TOP - 14, "font-weight='bold' font-size='14'", panel->title);
    draw_text(file, middle, PLOT_BOTTOM + 36, "text-anchor='middle'", panel->x_label);
    if (panel->kind == CHART_BARS)
        return;
    (void)snprintf(turned, sizeof(turned), "text-anchor='middle' transform='rotate(-90 16 %.1f)'",
                   (PLOT_TOP + PLOT_BOTTOM) / 2);
    draw_text(file, 16, (PLOT_TOP + PLOT_BOTTOM) / 2, turned, panel->y_label);
}

static void draw_bars(FILE *file, const struct chart *chart, const struct panel *panel)
{
    struct axis axis = value_axis(panel, BARS_LEFT, BARS_RIGHT - 20);
    double      step = (PLOT_BOTTOM - PLOT_TOP) / panel->spot_count;
    char        label[32];

    draw_values(file, &axis, 0, PLOT_TOP, PLOT_BOTTOM);
    for (int i = 0; i < panel->spot_count; i++) {
        const struct chart_spot *spot = &panel->spots[i];
        double                   middle = PLOT_TOP + step * (i + 0.5);
        double                   end = place(&axis, spot->y);
        (void)fprintf(file, "<rect x='%.1f' y='%.1f' width='%.1f' height='%.1f' fill='%s'/>\n",
                      BARS_LEFT, middle - step * 0.32, end - BARS_LEFT, step * 0.64,
                      colour_of(chart, spot->system));
        if (spot->high > spot->y) {
            double high = place(&axis, spot->high);
            draw_line(file, end, middle, high, middle, "stroke='#333333' stroke-width='1.5'");
            draw_line(file, high, middle - 5, high, middle + 5, "stroke='#333333'");
            end = high;
        }
        draw_text(file, BARS_LEFT - 6, middle + 4, "text-anchor='end'",
                  chart->systems[spot->system]);
        (void)fprintf(file, "<text x='%.1f' y='%.1f' class='halo'>%s</text>\n", end + 5, middle + 4,
                      number(label, spot->y));
    }
    draw_labels(file, panel, BARS_LEFT, BARS_RIGHT);
}

static struct axis position_axis(const struct panel *panel)
{
    struct axis axis = {HUGE_VAL, 0, PLOT_LEFT + 16, PLOT_RIGHT - 16};
    for (int i = 0; i < panel->spot_count; i++) {
        axis.low = fmin(axis.low, panel->spots[i].x);
        axis.high = fmax(axis.high, panel->spots[i].x);
    }
    if (axis.high <= axis.low) {
        axis.low /= 2;
        axis.high *= 2;
    }
    return axis;
}

static void draw_positions(FILE *file, const struct panel *panel, const struct axis *axis)
{
    for (int i = 0; i < panel->spot_count; i++) {
        char   label[32];
        double x = panel->spots[i].x;
        int    is_seen = 0;
        for (int before = 0; before < i; before++)
            is_seen |= panel->spots[before].x >= x && panel->spots[before].x <= x;
        if (is_seen)
            continue;
        if (x >= 1024)
            (void)snprintf(label, sizeof(label), x < 1048576 ? "%.4gKi" : "%.4gMi",
                           x < 1048576 ? x / 1024 : x / 1048576);
        else
            (void)snprintf(label, sizeof(label), "%.4g", x);
        draw_line(file, place(axis, x), PLOT_TOP, place(axis, x), PLOT_BOTTOM, "stroke='#bbbbbb'");
        draw_text(file, place(axis, x), PLOT_BOTTOM + 16, "text-anchor='middle'", label);
    }
}

/* One system's line and marks; returns 0 if it has no point in this panel. */
static int draw_system(FILE *file, const struct chart *chart, const struct panel *panel, int system,
                       const struct axis *xs, const struct axis *ys)
{
    const char *colour = colour_of(chart, system);
    const char *name = chart->systems[system];
    int         count = 0;

    (void)fprintf(file, "<g fill='%s' stroke='%s'>", colour, colour);
    for (int i = 0; i < panel->spot_count; i++)
        if (panel->spots[i].system == system && ++count > 0)
            (void)fprintf(file, "<circle cx='%.1f' cy='%.1f' r='3'/>", place(xs, panel->spots[i].x),
                          place(ys, panel->spots[i].y));
    (void)fprintf(file, "<polyline fill='none' stroke-width='%s' %s points='",
                  is_gyre(name) ? "3" : "1.6", is_limit(name) ? "stroke-dasharray='6 4'" : "");
    for (int i = 0; i < panel->spot_count; i++)
        if (panel->spots[i].system == system)
            (void)fprintf(file, "%.1f,%.1f ", place(xs, panel->spots[i].x),
                          place(ys, panel->spots[i].y));
    (void)fprintf(file, "'/></g>\n");
    return count;
}

static void draw_lines(FILE *file, const struct chart *chart, const struct panel *panel)
{
    struct axis xs = position_axis(panel);
    struct axis ys = value_axis(panel, PLOT_BOTTOM, PLOT_TOP);
    double      legend = PLOT_TOP + 6;

    draw_values(file, &ys, 1, PLOT_LEFT, PLOT_RIGHT);
    draw_positions(file, panel, &xs);
    for (int system = 0; system < chart->system_count; system++) {
        if (draw_system(file, chart, panel, system, &xs, &ys) == 0)
            continue;
        (void)fprintf(file, "<rect x='%.1f' y='%.1f' width='18' height='4' fill='%s'/>\n",
                      PLOT_RIGHT + 12, legend - 6, colour_of(chart, system));
        draw_text(file, PLOT_RIGHT + 36, legend, "", chart->systems[system]);
        legend += LEGEND_STEP;
    }
    draw_labels(file, panel, PLOT_LEFT, PLOT_RIGHT);
}

static void draw(FILE *file, const struct chart *chart, int shown_count)
{
    int rows = (shown_count + COLUMNS - 1) / COLUMNS;
    int shown = 0;

    (void)fprintf(file,
                  "<svg xmlns='http://www.w3.org/2000/svg' width='%.0f' height='%.0f' "
                  "font-family='sans-serif' font-size='12' fill='#222222'>\n"
                  "<style>.halo{paint-order:stroke;stroke:#ffffff;stroke-width:3px}</style>\n"
                  "<rect width='100%%' height='100%%' fill='#ffffff'/>\n",
                  PANEL_WIDTH * (shown_count < COLUMNS ? shown_count : COLUMNS),
                  HEAD_HEIGHT + PANEL_HEIGHT * rows);
    draw_text(file, 20, 28, "font-size='15'", chart->title);
    for (int i = 0; i < chart->panel_count; i++) {
        const struct panel *panel = &chart->panels[i];
        if (panel->spot_count == 0)
            continue;
        (void)fprintf(file, "<g transform='translate(%.0f %.0f)'>\n",
                      PANEL_WIDTH * (shown % COLUMNS),
                      HEAD_HEIGHT + PANEL_HEIGHT * (shown / COLUMNS));
        (panel->kind == CHART_BARS ? draw_bars : draw_lines)(file, chart, panel);
        (void)fprintf(file, "</g>\n");
        shown++;
    }
    (void)fprintf(file, "</svg>\n");
}

int chart_write(const struct chart *chart, const char *path)
{
    int   shown_count = 0;
    int   result;
    FILE *file;

    for (int i = 0; i < chart->panel_count; i++)
        shown_count += chart->panels[i].spot_count > 0;
    if (shown_count == 0)
        return 1;
    file = fopen(path, "w");
    if (file == NULL)
        return -1;
    draw(file, chart, shown_count);
    result = ferror(file) ? -1 : 0;
    return fclose(file) == 0 ? result : -1;
}

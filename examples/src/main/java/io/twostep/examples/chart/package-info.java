/** Charts as SVG, for reports and for files: markup that is well-formed by construction, axes, lines. What is drawn comes from elsewhere. */
@NullMarked
package io.twostep.examples.chart;

import org.jspecify.annotations.NullMarked;

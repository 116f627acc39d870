/** The report of a comparison as one HTML file that needs nothing else: pictures of how buffers became entries, bars of what it cost, and what wins at which request size. */
@NullMarked
package io.twostep.examples.compare.html;

import org.jspecify.annotations.NullMarked;

/** What both packages of contracts count with; not exported. */
@NullMarked
package io.twostep.dma.count;

import org.jspecify.annotations.NullMarked;

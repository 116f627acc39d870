/** A mapping layer, complete and small: what {@code docs/writing-a-layer.md} explains. */
@NullMarked
package io.twostep.examples.layer;

import org.jspecify.annotations.NullMarked;

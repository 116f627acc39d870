/** A device and its driver, complete and small: what {@code docs/writing-a-driver.md} explains. */
@NullMarked
package io.twostep.examples.copy;

import org.jspecify.annotations.NullMarked;

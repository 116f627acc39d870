/** What is gone when the work is, also when it is interrupted. */
@NullMarked
package io.twostep.examples.temporary;

import org.jspecify.annotations.NullMarked;

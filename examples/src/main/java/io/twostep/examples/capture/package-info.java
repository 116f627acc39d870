/** Where memory of a process really lies, read from the kernel's files below {@code /proc}; nothing here changes anything, and nothing pins: a layout is true when it is read. */
@NullMarked
package io.twostep.examples.capture;

import org.jspecify.annotations.NullMarked;

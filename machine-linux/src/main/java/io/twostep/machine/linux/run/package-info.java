/** The thread that a machine of this module runs on: it waits for descriptors and timers, and calls who asked, also of faults. Nothing here knows devices. */
@NullMarked
package io.twostep.machine.linux.run;

import org.jspecify.annotations.NullMarked;

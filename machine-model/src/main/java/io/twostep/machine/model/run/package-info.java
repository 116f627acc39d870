/** What makes the machine go: its one lock, its clock, its timers, and the order in which models get their turn. Knows nothing of memory or tables. */
@NullMarked
package io.twostep.machine.model.run;

import org.jspecify.annotations.NullMarked;

/**
 * What two threads do to the mapping layer in the same nanoseconds, and which outcomes that may have; one promise per class. jcstress runs each many million times, compiled in
 * every way. Not {@code @NullMarked}, because its generated code lies here too. What needs no second thread is tested in the modules.
 */
package io.twostep.stress;

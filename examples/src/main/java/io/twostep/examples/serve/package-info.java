/** Serving a device model to other processes. How the command line asks for it lives in {@code cli}. */
@NullMarked
package io.twostep.examples.serve;

import org.jspecify.annotations.NullMarked;

/**
 * The proof that the checker is silent over the tests of other modules: it lies above every stack that they compose, and each test fails that made it report what the test does not announce. Holds no tests of backends or
 * drivers of its own.
 */
@NullMarked
package io.twostep.backend.debug.silence;

import org.jspecify.annotations.NullMarked;

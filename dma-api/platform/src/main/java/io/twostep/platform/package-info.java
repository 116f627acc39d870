/**
 * Assembly: describe a machine, its devices and their mapping stacks by name, and get a running platform or a list of everything that is wrong.
 * Plugins are found by ServiceLoader and put together by Guice, which is used here and nowhere below; no mapping, no device and no
 * machine knowledge belongs in this package.
 */
@NullMarked
package io.twostep.platform;

import org.jspecify.annotations.NullMarked;

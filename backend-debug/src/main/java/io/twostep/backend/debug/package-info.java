/**
 * The checker: a layer that follows every mapping, link and sync of a device, reports what breaks a rule with both stack traces, and measures.
 *
 * <p>What lives here judges and counts. It changes nothing that a driver could notice but time: what it lets through goes down as it came. How calls are measured is in the package below.
 */
@NullMarked
package io.twostep.backend.debug;

import org.jspecify.annotations.NullMarked;

/**
 * The host driver's side of the specification. The builders here are pure: bus ranges in, descriptors out, and list memory through
 * {@link io.twostep.device.nvme.host.ListPages}; they know no device, no clock and no mapper.
 */
@NullMarked
package io.twostep.device.nvme.host;

import org.jspecify.annotations.NullMarked;

/**
 * What is proved inside a guest with an emulated IOMMU, NVMe controllers and the {@code edu} device: {@link io.twostep.examples.guest.GuestMain} runs there, started by
 * {@code examples/guest/run-in-guest}. Every scenario takes devices of the guest and gives them back.
 */
@NullMarked
package io.twostep.examples.guest;

import org.jspecify.annotations.NullMarked;

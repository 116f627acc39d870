/**
 * What is proved inside a guest with an emulated IOMMU, NVMe controllers and the {@code edu} device: {@link io.twostep.guest.GuestMain} runs there, started by
 * {@code run-in-guest}. Every scenario takes devices of the guest and gives them back.
 */
@NullMarked
package io.twostep.guest;

import org.jspecify.annotations.NullMarked;

/**
 * Which pages of a guest its devices wrote: told by the IOMMU, or by the device itself.
 */
@NullMarked
package io.twostep.device.vfio.dirty;

import org.jspecify.annotations.NullMarked;

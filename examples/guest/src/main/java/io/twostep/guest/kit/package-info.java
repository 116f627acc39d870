/**
 * The conformance kit over VFIO: a machine whose probes are NVMe controllers that the guest emulates, behind the guest's IOMMU. Nothing here but {@link io.twostep.guest.kit.KitScenarios} is
 * called by other code; JUnit and ServiceLoader find the rest.
 */
@NullMarked
package io.twostep.guest.kit;

import org.jspecify.annotations.NullMarked;

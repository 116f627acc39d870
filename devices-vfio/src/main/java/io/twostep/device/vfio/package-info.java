/**
 * Live migration of devices as its users see it: a migratable device and its driver. States live in {@code state}, what travels in {@code stream}, memory that a device
 * saves into in {@code buffer}, what was written meanwhile in {@code dirty}, whole migrations in {@code migrate}; the device in software in {@code model}.
 */
@NullMarked
package io.twostep.device.vfio;

import org.jspecify.annotations.NullMarked;

/**
 * The stream that migration data travels in: records with checksums, cut anywhere by whoever carries them. Knows nothing of what the records mean, and no channel.
 */
@NullMarked
package io.twostep.device.vfio.stream;

import org.jspecify.annotations.NullMarked;

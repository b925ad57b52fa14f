package cache

// reserve says how many of n units fit under the limit beside those reserved already. A negative n gives back, at
// most what is reserved.
func reserve(reserved, n, limit int64) (granted int64) {
	if n < 0 {
		return max(n, -reserved)
	}
	return max(0, min(n, limit-reserved))
}

package broker_test

import (
	"errors"
	"fmt"
	"testing"
	"testing/synctest"
	"time"

	"linkbroker/broker"
)

func (r *rig) history(t *testing.T, series string, grain broker.Grain) map[string]uint64 {
	t.Helper()
	stats, err := r.History(t.Context(), series, grain, time.Unix(0, 0), time.Now().Add(time.Hour))
	if err != nil {
		t.Fatal(err)
	}
	sum := map[string]uint64{}
	for _, s := range stats {
		for what, n := range s.Counts {
			sum[what] += n
		}
	}
	return sum
}

func TestHistory(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w := &wechat{takes: 100 * time.Millisecond}
		w.answer = func(_ int, target broker.Target) error {
			if target.Query == "bad=1" {
				return says(broker.InvalidPath, 40165)
			}
			return nil
		}
		r := newRig(t, w, nil)
		asked := query("a=1")
		asked.Client = &broker.Client{Name: "shop", Role: broker.RoleGenerate}
		for hour := range 30 {
			time.Sleep(time.Hour)
			r.store.writesFail.Store(hour == 3)
			if hour == 0 {
				r.get(t, asked, broker.Miss)
				r.fails(t, query("bad=1"), broker.InvalidPath)
			} else {
				r.get(t, asked, broker.Hit)
			}
			if _, err := r.Flush(t.Context()); (err != nil) != (hour == 3) {
				t.Fatal(err)
			}
		}
		for series, want := range map[string]map[string]uint64{
			broker.AnswersOf + appid:  {"miss": 1, "hit": 29, "failed": 1},
			broker.AskedBy + "shop":   {"miss": 1, "hit": 29},
			broker.CallsOf + appid:    {"ok": 1, "40165": 1, "took_ms": 200},
			broker.AskedBy + "nobody": {},
		} {
			for _, grain := range []broker.Grain{broker.Hourly, broker.Daily} {
				if got := r.history(t, series, grain); fmt.Sprint(got) != fmt.Sprint(want) {
					t.Errorf("%s by %s: %v, want %v", series, grain, got, want)
				}
			}
		}
		if _, err := r.History(t.Context(), "visits/x", broker.Daily, time.Time{}, time.Time{}); !errors.Is(err, broker.InvalidArgument) {
			t.Errorf("another series: %v", err)
		}
	})
}

func TestCensus(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		r := newRig(t, &wechat{}, nil)
		if _, ok := r.Census(t.Context()); ok {
			t.Error("there is a census before the first")
		}
		for i, days := range []int{1, 2, 5, 15, 0, 0} {
			req := query(fmt.Sprint("n=", i))
			req.Expiry.Days = days
			req.Path = fmt.Sprint("pages/", i%2)
			r.get(t, req, broker.Miss)
		}
		for range 3 {
			req := query("n=1")
			req.Path, req.Expiry.Days = "pages/1", 2
			r.get(t, req, broker.Hit)
		}
		time.Sleep(25 * time.Hour)
		if _, err := r.Flush(t.Context()); err != nil {
			t.Fatal(err)
		}
		if _, err := r.TakeCensus(t.Context()); err != nil {
			t.Fatal(err)
		}
		census, ok := r.Census(t.Context())
		if !ok || census.Links != 6 || census.ByTimeLeft != [5]int{1, 1, 0, 1, 3} || len(census.Pages) != 2 {
			t.Fatalf("counted are %+v", census)
		}
		r.get(t, query("n=new"), broker.Miss)
		if again, _ := r.Census(t.Context()); again.Links != 6 {
			t.Errorf("%d links are counted at once", again.Links)
		}
		time.Sleep(3 * time.Second)
		if again, _ := r.Census(t.Context()); again.Links != 7 {
			t.Errorf("who looks a little later sees %d links", again.Links)
		}
		if top := census.Pages[0]; top.Path != "pages/1" || top.Links != 3 || top.Uses != 6 {
			t.Errorf("most used is %+v", top)
		}
	})
}

func TestOneBrokerCountsForAllOnAStore(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		_, all := fellows(t, 2, &wechat{}, nil)
		all[0].get(t, query("n=1"), broker.Miss)
		if _, ok := all[1].Census(t.Context()); ok {
			t.Error("there is a census before the first")
		}
		if _, err := all[0].TakeCensus(t.Context()); err != nil {
			t.Fatal(err)
		}
		if census, ok := all[1].Census(t.Context()); !ok || census.Links != 1 || len(census.Pages) != 1 {
			t.Errorf("another broker has %+v", census)
		}
		all[0].get(t, query("n=2"), broker.Miss)
		time.Sleep(3 * time.Second)
		if census, _ := all[1].Census(t.Context()); census.Links != 2 {
			t.Errorf("counted anew are %d links", census.Links)
		}
		if census, _ := all[0].Census(t.Context()); census.Links != 2 {
			t.Errorf("the first still has %d links", census.Links)
		}
		all[1].member.cutOff(true)
		if census, ok := all[1].Census(t.Context()); !ok || census.Links != 2 {
			t.Errorf("cut off from the store it has %+v", census)
		}
	})
}

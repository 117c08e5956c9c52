package icimstest

import (
	"slices"
)

type job struct {
	Job
	hidden bool
}

// AddJob posts a job on its portals and replaces a job with the same ID.
func (t *Tenant) AddJob(j Job) {
	if j.Updated.IsZero() {
		j.Updated = t.sim.cfg.Now()
	}
	fill(&j.Folder, "D31001")
	t.mu.Lock()
	defer t.mu.Unlock()
	if t.jobs == nil {
		t.jobs = map[int64]*job{}
	}
	if t.jobs[j.ID] == nil {
		i, _ := slices.BinarySearch(t.jobOrder, j.ID)
		t.jobOrder = slices.Insert(t.jobOrder, i, j.ID)
	}
	t.jobs[j.ID] = &job{Job: j}
}

// RemoveJob deletes a job, as an administrator does. Its workflows stay.
func (t *Tenant) RemoveJob(id int64) {
	t.mu.Lock()
	defer t.mu.Unlock()
	delete(t.jobs, id)
	t.jobOrder = slices.DeleteFunc(t.jobOrder, func(other int64) bool { return other == id })
}

var jobFolders = map[string]string{"D31001": "Approved", "D31002": "Pending", "D31003": "Closed (Filled)"}

var defaultJobFields = []string{"jobtitle", "jobid", "folder"}

func jobsGet(c *call) answer {
	t := c.tenant
	t.mu.RLock()
	defer t.mu.RUnlock()
	j := t.jobs[atoi(c.arg("job"))]
	switch {
	case j == nil:
		return notFound("Job")
	case j.hidden:
		return accessDenied()
	}
	names := c.wanted()
	if names == nil {
		names = defaultJobFields
	}
	out := map[string]any{"links": []any{link(selfTitle, c.base+"/customers/"+t.cfg.Customer+"/jobs/"+itoa(j.ID))}}
	for _, name := range names {
		if v := j.field(t, name, c.base); v != nil && !slices.Contains(t.cfg.HiddenFields, name) {
			out[name] = v
		}
	}
	return ok(out)
}

// field returns the value of a job's field, or nil if it is empty or unknown.
func (j *job) field(t *Tenant, name, base string) any {
	switch name {
	case "id":
		return j.ID
	case "jobtitle":
		if j.Title != "" {
			return j.Title
		}
	case "jobid":
		if j.Number != "" {
			return j.Number
		}
	case "folder":
		value := jobFolders[j.Folder]
		fill(&value, j.Folder)
		return labeled(j.Folder, value)
	case "numberofpositions":
		if j.Openings > 0 {
			return j.Openings
		}
	case "positioncategory":
		if j.Category.ID != "" {
			return labeled(j.Category.ID, j.Category.Value)
		}
	case "updateddate":
		return dateTime(j.Updated)
	case "joblocation":
		if j.Location != "" {
			return map[string]any{"id": 23, "companyid": 1800, "value": j.Location,
				"address": base + "/customers/" + t.cfg.Customer + "/companies/1800/fields/addresses/23"}
		}
	}
	return nil
}
